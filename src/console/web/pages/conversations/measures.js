// What the page shows of a group of conversations, computed from the sums that the API returns.

/**
 * Sums over a group of jobs, as `GET /v1/stats/jobs` returns them.
 * @typedef {{[measure: string]: number | null | undefined}} Sums
 */

/**
 * @typedef {object} Measure
 * @property {string} name as in the URL
 * @property {string} label
 * @property {"count" | "hours" | "minutes" | "seconds" | "share" | "rate"} unit
 * @property {(sums: Sums) => number | null} of null where there is nothing to divide by
 * @property {boolean} [isNarrow] its values differ little: the axis need not begin at 0
 * @property {boolean} [isSum] a day without conversations is 0, not a gap
 * @property {string} about
 */

/**
 * @param {number | null | undefined} part
 * @param {number | null | undefined} whole
 */
export const ratio = (part, whole) => (whole ? (part ?? 0) / whole : null);

/** @type {Measure[]} */
export const MEASURES = [
  {
    name: "jobs",
    label: "Conversations",
    unit: "count",
    of: (sums) => sums.jobs ?? 0,
    isSum: true,
    about: "Finished jobs, whatever their end, by the day on which they were submitted.",
  },
  {
    name: "hours",
    label: "Hours recorded",
    unit: "hours",
    of: (sums) => (sums.durationSeconds ?? 0) / 3600,
    isSum: true,
    about: "Length of all recordings with a result, each up to the end of its last utterance.",
  },
  {
    name: "length",
    label: "Average length",
    unit: "minutes",
    of: (sums) => ratio(sums.durationSeconds, sums.completed),
    about: "Length of the recordings, divided by their number.",
  },
  {
    name: "talk",
    label: "Talk share",
    unit: "share",
    of: (sums) => ratio(sums.talkSeconds, sums.durationSeconds),
    isNarrow: true,
    about: "The part of the time in which somebody talks. The rest is silence.",
  },
  {
    name: "pace",
    label: "Pace",
    unit: "rate",
    of: (sums) => (sums.talkSeconds ? ((sums.words ?? 0) * 60) / sums.talkSeconds : null),
    isNarrow: true,
    about: "Words per minute of talk.",
  },
  {
    name: "questions",
    label: "Questions",
    unit: "rate",
    of: (sums) => ratio(sums.questions, sums.completed),
    about: "Questions per conversation, as the provider found them.",
  },
  {
    name: "interruptions",
    label: "Interruptions",
    unit: "rate",
    of: (sums) => ratio(sums.interruptions, sums.completed),
    about: "Interruptions per conversation: someone begins while another talks, and talks on after them.",
  },
  {
    name: "turnaround",
    label: "Turnaround",
    unit: "seconds",
    of: (sums) => ratio(sums.turnaroundSeconds, sums.completed),
    about: "Time from the submission to the result, on average.",
  },
];

/** @param {string} name */
export function measure(name) {
  const found = MEASURES.find((it) => it.name === name);
  if (!found) throw new Error(`no measure is named ${name}`);
  return found;
}

/**
 * The relative change from one number to another; null where that says nothing.
 * @param {number | null} now
 * @param {number | null} earlier
 */
export const change = (now, earlier) => (now === null || !earlier ? null : now / earlier - 1);
