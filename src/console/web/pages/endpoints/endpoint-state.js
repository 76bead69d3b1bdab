import { html } from "../../lib/html.js";
import { counted } from "../operations/ages.js";
import { Status } from "../operations/parts.js";

/** @type {Record<string, string>} */
const REASONS = { by_caller: "by request", failing: "because it kept failing", gone: "because it responded 410" };

/** @param {{endpoint: Api["EndpointView"]}} props */
export function EndpointState({ endpoint: { state, pauseReason, failures } }) {
  const isFailing = state === "active" && failures > 0;
  const level = isFailing ? "bad" : state === "active" ? "good" : "warn";
  const why = pauseReason
    ? (REASONS[pauseReason] ?? pauseReason)
    : isFailing
      ? `${counted(failures, "failure", "failures")} in a row`
      : "";
  return html`<span><${Status} level=${level}>${isFailing ? "failing" : state}<//> <span class="muted nowrap">${why}</span></span>`;
}
