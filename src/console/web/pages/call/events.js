// The timeline of a job in words.

/** @typedef {{ seq: number, kind: string, detail: Record<string, any>, at: string }} Event */

/** @type {Record<string, string>} */
const TITLES = {
  queued: "Queued",
  submitting: "Attempt began",
  submitted: "Accepted by the provider",
  requeued: "Attempt failed; another one follows",
  unconfirmed: "The provider did not confirm the attempt",
  abandoned: "The process that was submitting it is gone",
  delivery: "Delivery arrived",
  completed: "Result stored",
  failed: "Failed",
  timed_out: "Timed out",
  canceled: "Canceled",
  replayed: "Delivery replayed",
  reparsed: "Result computed again by a newer version",
  speakers_named: "Speakers named",
  result_expired: "Result deleted because of its age",
};

/** @type {Record<string, "good" | "warn" | "bad">} */
const TONES = {
  completed: "good",
  failed: "bad",
  timed_out: "bad",
  canceled: "warn",
  requeued: "warn",
  unconfirmed: "warn",
  abandoned: "warn",
  result_expired: "warn",
};

/** @type {Record<string, string>} */
const CHANNELS = {
  webhook: "by webhook",
  poll: "by polling",
  replay: "by a replay",
  submission: "when it was submitted",
};

/** @type {Record<string, string>} */
const OUTCOMES = {
  duplicate: "a copy of an earlier one",
  late: "too late to change the job",
  superseded: "of an attempt that another one has replaced",
  malformed: "not readable; kept in quarantine",
  mismatch: "about another job; kept in quarantine",
  surplus: "one of too many",
};

/** How a result or an error came: "by webhook". @param {unknown} via */
export const viaText = (via) => CHANNELS[String(via)] ?? String(via);

/**
 * What to say about an event: kinds that a later version adds are shown by their name.
 * @param {Event} event
 * @returns {{ title: string, tone: "good" | "warn" | "bad" | "", facts: string[] }}
 */
export function told({ kind, detail }) {
  const isRetry = kind === "queued" && detail.because === "retry";
  const title = isRetry ? "Queued again by a retry" : (TITLES[kind] ?? kind.replaceAll("_", " "));
  const facts = [];
  if (typeof detail.outcome === "string") facts.push(OUTCOMES[detail.outcome] ?? detail.outcome);
  if (typeof detail.via === "string") facts.push(viaText(detail.via));
  if (detail.late === true) facts.push("later than expected");
  if (typeof detail.because === "string" && !isRetry) facts.push(`because: ${detail.because.replaceAll("_", " ")}`);
  if (typeof detail.code === "string") facts.push(detail.code);
  if (typeof detail.reason === "string") facts.push(detail.reason);
  if (typeof detail.providerJobId === "string") facts.push(`its id there: ${detail.providerJobId}`);
  if (typeof detail.by === "string") facts.push(`by ${detail.by}`);
  if (Array.isArray(detail.speakerIds)) facts.push(speakersNamed(detail.speakerIds.length));
  return { title, tone: TONES[kind] ?? "", facts };
}

const speakersNamed = (/** @type {number} */ count) =>
  count === 0 ? "names removed" : `${count} ${count === 1 ? "name" : "names"}`;

/**
 * The events by attempt. What happens before the first attempt has the number 0; events without an attempt belong to the
 * one before them.
 * @param {readonly Event[]} events
 * @returns {{ attempt: number, events: Event[] }[]}
 */
export function byAttempt(events) {
  /** @type {{ attempt: number, events: Event[] }[]} */
  const groups = [];
  for (const event of events) {
    const last = groups.at(-1);
    const attempt = typeof event.detail.attempt === "number" ? event.detail.attempt : (last?.attempt ?? 0);
    if (last?.attempt === attempt) last.events.push(event);
    else groups.push({ attempt, events: [event] });
  }
  return groups;
}
