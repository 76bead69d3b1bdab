// The provider's insights as the page shows them: by kind, with the moments they are based on.

/**
 * @typedef {object} Insight
 * @property {string} name
 * @property {number} seq
 * @property {string} value
 * @property {number | null} [start] seconds
 * @property {number | null} [end] seconds
 * @property {string | null} [speakerId]
 * @property {readonly number[]} evidence `seq` of utterances
 * @property {Record<string, unknown>} [extra]
 */

/** @typedef {{ start: number, end: number }} Span seconds */
/** @typedef {{ value: string, moments: Span[] }} Phrase */
/** @typedef {"question" | "task" | "phrase" | "sentence"} MarkerKind */
/** @typedef {{ kind: MarkerKind, text: string, start: number }} Marker */
/** @typedef {{ speakerId: string, questions: readonly { text: string, start?: number | null, end?: number | null }[] }} Asker */

/** Sections in the order in which one reads them. Names that are not here follow, under their own name. */
const KNOWN = [
  "AbstractiveSummaryShort",
  "AbstractiveSummaryLong",
  "Topics",
  "Tasks",
  "KeyPhrases",
  "ExtractiveSummary",
];

/**
 * @template {{ name: string }} T
 * @param {readonly T[]} insights
 * @returns {Map<string, T[]>}
 */
export function byName(insights) {
  /** @type {Map<string, T[]>} */
  const found = new Map();
  const names = new Set(insights.map(({ name }) => name));
  for (const name of [...KNOWN, ...[...names].filter((name) => !KNOWN.includes(name)).sort()]) {
    const own = insights.filter((insight) => insight.name === name);
    if (own.length > 0) found.set(name, own);
  }
  return found;
}

/** "Next Steps" for `NextSteps`. @param {string} name */
export const spaced = (name) => name.replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2");

/**
 * The moment of an insight: its own times, or those of the utterances it is based on.
 * @param {Insight} insight
 * @param {(seq: number) => Span | undefined} utterance
 * @returns {Span | null}
 */
export function momentOfInsight(insight, utterance) {
  if (typeof insight.start === "number") return { start: insight.start, end: insight.end ?? insight.start };
  const first = insight.evidence.length > 0 ? utterance(insight.evidence[0]) : undefined;
  return first ? { start: first.start, end: first.end } : null;
}

/**
 * Values that occur several times, as one with several moments; the most frequent first.
 * @param {readonly Insight[]} insights
 * @param {(insight: Insight) => Span | null} moment
 * @returns {Phrase[]}
 */
export function phrasesOf(insights, moment) {
  /** @type {Map<string, Phrase>} */
  const found = new Map();
  for (const insight of insights) {
    const key = insight.value.toLowerCase();
    const phrase = found.get(key) ?? { value: insight.value, moments: [] };
    const at = moment(insight);
    if (at) phrase.moments.push(at);
    found.set(key, phrase);
  }
  return [...found.values()].sort((a, b) => b.moments.length - a.moments.length);
}

/** @type {Record<string, MarkerKind>} */
const MARKED = { Tasks: "task", KeyPhrases: "phrase", ExtractiveSummary: "sentence" };

/**
 * What the waveform marks, in the order of time.
 * @param {readonly Insight[]} insights
 * @param {readonly Asker[]} speakers
 * @param {(insight: Insight) => Span | null} moment
 * @returns {Marker[]}
 */
export function markersOf(insights, speakers, moment) {
  /** @type {Marker[]} */
  const markers = [];
  for (const insight of insights) {
    const kind = MARKED[insight.name];
    const at = kind && moment(insight);
    if (at) markers.push({ kind, text: insight.value, start: at.start });
  }
  for (const { questions } of speakers) {
    for (const { text, start } of questions) {
      if (typeof start === "number") markers.push({ kind: "question", text, start });
    }
  }
  return markers.sort((a, b) => a.start - b.start);
}

/**
 * Who a task is assigned to: the provider names a speaker's id, or anyone.
 * @param {Insight} insight
 * @returns {string | null}
 */
export function assigneeOf({ extra }) {
  const assignee = extra?.assignee;
  return typeof assignee === "string" && assignee !== "" ? assignee : null;
}
