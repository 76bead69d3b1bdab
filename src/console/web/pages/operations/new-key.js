// A new API key.
import { post } from "../../lib/api.js";
import { html, useId, useState } from "../../lib/html.js";
import { useSession } from "../../lib/session.js";
import { Dialog } from "../../parts/dialog.js";
import { FormError } from "./parts.js";

/** @type {[string, string][]} */
const SCOPES = [
  ["jobs:write", "submit, retry and cancel jobs, and name speakers"],
  ["jobs:read", "see jobs and their timelines"],
  ["transcript:read", "see what was said, and listen to it"],
  ["transcript:raw", "see results and deliveries as the provider sent them"],
  ["search:read", "search in conversations"],
  ["stats:read", "see statistics"],
  ["notify:write", "manage endpoints and their messages"],
  ["erasure:write", "erase what was said"],
  ["admin:read", "see operations, of all callers"],
  ["admin:write", "replay deliveries, manage keys and callers"],
];
const USUAL = ["jobs:write", "jobs:read", "transcript:read", "search:read", "stats:read"];

const LIFETIMES = [
  { value: "", label: "as configured (keys.lifetime)" },
  { value: "86400", label: "in 1 day" },
  { value: "604800", label: "in 7 days" },
  { value: "2592000", label: "in 30 days" },
  { value: "7776000", label: "in 90 days" },
  { value: "31536000", label: "in 1 year" },
  { value: "never", label: "never" },
];

/** @param {{id: string, name: string}} props */
export function SpanSelect({ id, name }) {
  return html`<select id=${id} name=${name}>${LIFETIMES.map((it) => html`<option value=${it.value}>${it.label}</option>`)}</select>`;
}

/**
 * The times that were chosen, in seconds; null is for ever. Where none was, the settings decide.
 * @param {FormData} form
 * @param {string[]} names
 */
export function chosenSpans(form, names) {
  const chosen = names.filter((name) => form.get(name));
  return Object.fromEntries(chosen.map((name) => [name, form.get(name) === "never" ? null : Number(form.get(name))]));
}

/** @param {{onClose: () => void, onMade: (key: Api["NewKeyView"]) => void}} props */
export function NewKey({ onClose, onMade }) {
  const { callers = [] } = useSession();
  const [error, setError] = useState(/** @type {any} */ (null));
  const ids = { caller: useId(), callers: useId(), name: useId(), rate: useId(), expires: useId() };
  /** @param {SubmitEvent} event */
  async function create(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const body = {
      caller: String(form.get("caller")),
      name: String(form.get("name")) || undefined,
      scopes: form.getAll("scopes"),
      rate: form.get("rate") ? Number(form.get("rate")) : undefined,
      ...chosenSpans(form, ["expiresInSeconds"]),
    };
    try {
      onMade(await post("/v1/admin/keys", body));
    } catch (problem) {
      setError(problem);
    }
  }
  return html`
    <${Dialog} title="New key" onClose=${onClose}>
      <form class="form" onSubmit=${create}>
        <label for=${ids.caller}>Caller, the app that will use it; a new name registers it</label>
        <input id=${ids.caller} name="caller" list=${ids.callers} required maxlength="64" autocapitalize="none" autocomplete="off" spellcheck=${false} />
        <datalist id=${ids.callers}>${callers.map((name) => html`<option value=${name} />`)}</datalist>
        <label for=${ids.name}>Name, such as a host or a person</label>
        <input id=${ids.name} name="name" placeholder="default" autocomplete="off" />
        <fieldset>
          <legend>It may</legend>
          ${SCOPES.map(
            ([scope, what]) => html`<label class="check" key=${scope}>
              <input type="checkbox" name="scopes" value=${scope} defaultChecked=${USUAL.includes(scope)} />
              <span><code>${scope}</code> <span class="muted">${what}</span></span>
            </label>`,
          )}
        </fieldset>
        <label for=${ids.expires}>It expires</label>
        <${SpanSelect} id=${ids.expires} name="expiresInSeconds" />
        <label for=${ids.rate}>Requests per window, empty for the usual number</label>
        <input id=${ids.rate} name="rate" type="number" inputmode="numeric" min="1" step="1" />
        <${FormError} error=${error} />
        <footer><button type="button" class="button plain" onClick=${onClose}>Cancel</button><button class="button primary">Create 1 key</button></footer>
      </form>
    <//>
  `;
}
