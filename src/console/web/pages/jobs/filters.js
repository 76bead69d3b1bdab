// The filters of the jobs and of the search. The page's URL has them under the names of the API's parameters, so that a
// link to a list and a request for it look the same.
import { get } from "../../lib/api.js";

/** @typedef {import("../../parts/chips.js").Field} Field */
/** @typedef {"queued" | "submitting" | "submitted" | "completed" | "failed" | "timed_out" | "canceled"} State */

/** @type {State[]} */
export const STATES = ["queued", "submitting", "submitted", "completed", "failed", "timed_out", "canceled"];

export const AUDIO_TYPES = ["CallCenter", "Meeting", "EarningsCalls", "Interview", "PressConference", "Voicemail"];

/** "timed_out" as "Timed out", "CallCenter" as "Call center". @param {string} name */
export function inWords(name) {
  const words = name.replaceAll("_", " ").replace(/([a-z])([A-Z])/g, "$1 $2");
  return words.charAt(0).toUpperCase() + words.slice(1).toLowerCase();
}

/** @param {"tag" | "externalId" | "emotion" | "insight" | "language"} field */
const suggest = (field) => async (/** @type {string} */ text) =>
  (await get("/v1/suggestions", { field, q: text })).data;

/** @type {Field[]} */
export const JOB_FIELDS = [
  { name: "status", label: "state", isMany: true, options: STATES },
  { name: "tag", label: "tag", isMany: true, suggest: suggest("tag") },
  { name: "externalId", label: "external id", suggest: suggest("externalId") },
  { name: "hasEmotion", label: "emotion", isMany: true, suggest: suggest("emotion") },
  { name: "hasInsight", label: "insight", isMany: true, suggest: suggest("insight") },
  { name: "language", label: "language", suggest: suggest("language") },
  { name: "audioType", label: "type", options: AUDIO_TYPES },
  { name: "minSpeakers", label: "speakers at least", options: ["2", "3", "4", "5"] },
  { name: "createdAfter", label: "created after", isDate: true },
  { name: "createdBefore", label: "created before", isDate: true },
  { name: "completedAfter", label: "completed after", isDate: true },
  { name: "completedBefore", label: "completed before", isDate: true },
];

/**
 * The filters in a URL as parameters of a request: lists for fields that may repeat.
 * @param {URLSearchParams} query
 * @param {readonly Field[]} fields
 * @returns {Record<string, string | string[]>}
 */
export function toParams(query, fields) {
  /** @type {Record<string, string | string[]>} */
  const params = {};
  for (const { name, isMany } of fields) {
    const values = query.getAll(name).filter((value) => value !== "");
    if (values.length > 0) params[name] = isMany ? [...new Set(values)] : values[values.length - 1];
  }
  return params;
}

/** The URL's changes that remove all filters. @param {readonly Field[]} fields */
export const withoutFilters = (fields) => Object.fromEntries(fields.map(({ name }) => [name, undefined]));
