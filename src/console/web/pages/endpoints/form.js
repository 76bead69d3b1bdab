// A new endpoint, or what an existing one is to become.
import { patch, post } from "../../lib/api.js";
import { html } from "../../lib/html.js";
import { useSession } from "../../lib/session.js";
import { Checks, FormDialog } from "../operations/parts.js";

/** @type {[string, string][]} */
const EVENTS = [
  ["job.completed", "the result is there"],
  ["job.failed", "it ended without a result"],
  ["job.timed_out", "no result came before its deadline"],
  ["job.canceled", "somebody canceled it"],
  ["notify.endpoint.paused", "another endpoint was paused, as it kept failing"],
  ["job.submitted", "the provider accepted the recording"],
  ["job.reparsed", "its result was read anew, and may differ"],
  ["job.erased", "what was said in it was deleted"],
];
/** What the service sends if nothing is said; the others would surprise an app. */
const USUAL = EVENTS.slice(0, 5).map(([type]) => type);

/** @type {[string, string][]} */
const INCLUDED = [["summary", "what was said in brief, so that the app need not ask for it"]];

/**
 * @param {{endpoint?: Api["EndpointView"], onClose: () => void, onSaved: (saved: any) => void}} props `onSaved` gets the
 *   endpoint, a new one with its secret
 */
export function EndpointForm({ endpoint, onClose, onSaved }) {
  const mayInclude = useSession().scopes.includes("transcript:read");
  /** @param {FormData} form */
  async function save(form) {
    const body = {
      // Credentials in the URL are never shown, so it is sent only if it becomes another one.
      url: String(form.get("url")).trim() || undefined,
      description: String(form.get("description")) || null,
      events: form.getAll("events"),
      include: mayInclude ? form.getAll("include") : undefined,
    };
    onSaved(await (endpoint ? patch(`/v1/endpoints/${endpoint.id}`, body) : post("/v1/endpoints", body)));
  }
  return html`
    <${FormDialog} title=${endpoint ? "Change this endpoint" : "New endpoint"} action=${endpoint ? "Change 1 endpoint" : "Create 1 endpoint"}
      onClose=${onClose} onSubmit=${save}>
      <label>
        <span>${endpoint ? "Another URL, empty to keep the one it has" : "URL that receives messages as POST requests"}</span>
        <input name="url" type="url" maxlength="2048" required=${!endpoint} placeholder=${endpoint?.url ?? "https://…"} autocomplete="off" />
      </label>
      <label>
        <span>Description</span>
        <input name="description" maxlength="500" defaultValue=${endpoint?.description ?? ""} autocomplete="off" />
      </label>
      <${Checks} legend="It is told when" name="events" options=${EVENTS} checked=${endpoint?.events ?? USUAL} />
      ${mayInclude && html`<${Checks} legend="Messages of results include" name="include" options=${INCLUDED} checked=${endpoint?.include ?? []} />`}
    <//>
  `;
}
