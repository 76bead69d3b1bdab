// A new API key.
import { post } from "../../lib/api.js";
import { html, useId } from "../../lib/html.js";
import { useSession } from "../../lib/session.js";
import { Checks, FormDialog } from "./parts.js";

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

/** @type {[string, string][]} */
export const LIFETIMES = [
  ["", "as configured (keys.lifetime)"],
  ["86400", "in 1 day"],
  ["604800", "in 7 days"],
  ["2592000", "in 30 days"],
  ["7776000", "in 90 days"],
  ["31536000", "in 1 year"],
  ["never", "never"],
];

/** @param {{name: string, options: [string, string][]}} props */
export function SpanSelect({ name, options }) {
  return html`<select name=${name}>${options.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>`;
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
  const known = useId();
  /** @param {FormData} form */
  const create = async (form) => {
    const body = {
      caller: String(form.get("caller")),
      name: String(form.get("name")) || undefined,
      scopes: form.getAll("scopes"),
      rate: form.get("rate") ? Number(form.get("rate")) : undefined,
      ...chosenSpans(form, ["expiresInSeconds"]),
    };
    onMade(await post("/v1/admin/keys", body));
  };
  return html`
    <${FormDialog} title="New key" action="Create 1 key" onClose=${onClose} onSubmit=${create}>
      <label>
        <span>Caller, the app that will use it; a new name registers it</span>
        <input name="caller" list=${known} required maxlength="64" autocapitalize="none" autocomplete="off" spellcheck=${false} />
      </label>
      <datalist id=${known}>${callers.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
      <label><span>Name, such as a host or a person</span><input name="name" placeholder="default" autocomplete="off" /></label>
      <${Checks} legend="It may" name="scopes" options=${SCOPES} checked=${USUAL} />
      <label><span>It expires</span><${SpanSelect} name="expiresInSeconds" options=${LIFETIMES} /></label>
      <label>
        <span>Requests per window, empty for the usual number</span>
        <input name="rate" type="number" inputmode="numeric" min="1" step="1" />
      </label>
    <//>
  `;
}
