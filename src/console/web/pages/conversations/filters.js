// What the page shows, as its URL says it, and the requests that this takes.
import { addDays, before, daysBetween, isDay, mondayOf } from "./days.js";
import { MEASURES } from "./measures.js";

/** @import { Bucket } from "./days.js" */
/** @typedef {"tag" | "language" | "audioType"} Facet */

/**
 * @typedef {object} Shown
 * @property {string} from first day
 * @property {string} to end of the range of days, exclusive
 * @property {number | null} days the preset, if the range is one
 * @property {Bucket} bucket
 * @property {"" | Facet} split what the charts over time have a line for each of
 * @property {string} tag
 * @property {string} language
 * @property {string} audioType
 * @property {string} emotion
 * @property {string} insight whose values are counted
 * @property {string} by the measure of the bars
 */

/** @type {{days: number, label: string}[]} */
export const PRESETS = [
  { days: 7, label: "7 days" },
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 365, label: "12 months" },
];

/** @type {{name: Facet, label: string, none: string, many: string}[]} */
export const FACETS = [
  { name: "tag", label: "Tag", none: "no tag", many: "tags" },
  { name: "language", label: "Language", none: "not specified", many: "languages" },
  { name: "audioType", label: "Type", none: "not specified", many: "types" },
];

/** The insights whose values are short enough to be counted. */
export const INSIGHTS = [
  { name: "Topics", label: "Topics", one: "topic" },
  { name: "KeyPhrases", label: "Key phrases", one: "key phrase" },
];

/** The API answers for three years at most. */
export const MOST_DAYS = 1096;
/** More than these would be hairlines, or, where there are several lines, a tangle. */
const MOST_BY_DAY = 120;
const MOST_BY_DAY_OF_LINES = 45;

/**
 * @param {URLSearchParams} query
 * @param {string} today
 * @returns {Shown}
 */
export function shown(query, today) {
  const tomorrow = addDays(today, 1);
  const asked = Number(query.get("days"));
  const preset = PRESETS.find((it) => it.days === asked)?.days ?? 30;
  const [first, end] = [query.get("from"), query.get("to")];
  const isRange = isDay(first) && isDay(end) && first < end && daysBetween(first, end) <= MOST_DAYS;
  const range = isRange ? { from: first, to: end } : { from: addDays(tomorrow, -preset), to: tomorrow };
  const known = /** @param {string} name @param {string[]} names @param {string} usual */ (name, names, usual) => {
    const value = query.get(name) ?? "";
    return names.includes(value) ? value : usual;
  };
  const split = /** @type {Shown["split"]} */ (
    known(
      "split",
      FACETS.map((it) => it.name),
      "",
    )
  );
  const isLong = daysBetween(range.from, range.to) > (split ? MOST_BY_DAY_OF_LINES : MOST_BY_DAY);
  const bucket = /** @type {Bucket} */ (known("bucket", ["day", "week"], isLong ? "week" : "day"));
  // A preset begins with a whole week, so that the first one is not smaller than the others.
  const from = !isRange && bucket === "week" ? mondayOf(range.from) : range.from;
  return {
    from,
    to: range.to,
    days: isRange ? null : preset,
    bucket,
    split,
    tag: query.get("tag") ?? "",
    language: query.get("language") ?? "",
    audioType: query.get("audioType") ?? "",
    emotion: query.get("emotion") ?? "",
    insight: known(
      "insight",
      INSIGHTS.map((it) => it.name),
      "Topics",
    ),
    by: known(
      "by",
      MEASURES.map((it) => it.name),
      "jobs",
    ),
  };
}

/** How many values of a tag, language or type the page asks for, and lines a chart has. */
const MOST_VALUES = 8;
export const MOST_LINES = 5;

/**
 * The parameters of each request. A list of values is never filtered by its own filter, so that another one can be
 * chosen. The API cannot filter emotions by tag, nor values of insights by anything: see `leftOut`.
 * @param {Shown} it
 */
export function requests(it) {
  const range = { from: it.from, to: it.to };
  const filters = { tag: it.tag, language: it.language, audioType: it.audioType };
  const { bucket } = it;
  const split = it.split
    ? { ...range, ...filters, groupBy: it.split, [it.split]: undefined, bucket, limit: MOST_LINES }
    : null;
  const facet = /** @param {Facet} name */ (name) => ({
    ...range,
    ...filters,
    [name]: undefined,
    groupBy: name,
    limit: MOST_VALUES,
  });
  const insight = { groupBy: "insight", insight: it.insight, measures: ["completed"], sort: "-completed" };
  return {
    all: { ...range, ...filters, bucket },
    earlier: { ...before(range), ...filters },
    split,
    emotions: { ...range, ...filters, tag: undefined, groupBy: "emotion", bucket },
    insights: { ...range, ...insight, limit: 12 },
    earlierInsights: { ...before(range), ...insight, limit: 200 },
    tag: facet("tag"),
    language: facet("language"),
    audioType: facet("audioType"),
  };
}

/**
 * The filters that a chart does not follow.
 * @param {"emotions" | "insights"} chart
 * @param {Shown} it
 * @returns {string[]} their labels
 */
export function ignored(chart, it) {
  const names = chart === "emotions" ? ["tag"] : ["tag", "language", "audioType"];
  return FACETS.filter((facet) => names.includes(facet.name) && it[facet.name]).map((facet) =>
    facet.label.toLowerCase(),
  );
}

/**
 * What is unusual about the first and the last bucket.
 * @param {Shown} it
 * @param {string} today
 * @returns {string[]}
 */
export function edges(it, today) {
  const said = [];
  if (it.from <= today && today < it.to) said.push("Today is not over yet.");
  const days = /** @param {string} day */ (day) => (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
  if (it.bucket === "week") {
    const isCutOff = days(it.from) !== 0 || days(it.to) !== 0;
    if (isCutOff) said.push("Weeks begin on Monday; the first and the last one may have fewer days.");
  }
  return said;
}
