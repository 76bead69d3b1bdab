import { html } from "../lib/html.js";

/** @type {Record<string, [string, string]>} word and colour */
const STATES = {
  queued: ["queued", "waiting"],
  submitting: ["submitting", "running"],
  submitted: ["submitted", "running"],
  completed: ["completed", "good"],
  failed: ["failed", "bad"],
  timed_out: ["timed out", "warn"],
  canceled: ["canceled", "ended"],
};

/** The state of a job, as a word that is always the same, with a colour and a form. @param {{ state: string }} props */
export function StateBadge({ state }) {
  const [word, kind] = STATES[state] ?? [state.replaceAll("_", " "), "ended"];
  return html`<span class=${`badge state-${kind}`}>${word}</span>`;
}
