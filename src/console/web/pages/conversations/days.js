// Days as the API writes them, such as "2026-05-01": days of UTC, without a time.

/** @typedef {"day" | "week"} Bucket */

const DAY = 86_400_000;

/** @param {string} day */
const time = (day) => Date.parse(`${day}T00:00:00Z`);

/** @param {number} ms @returns {string} */
const dayAt = (ms) => new Date(ms).toISOString().slice(0, 10);

/**
 * Whether the text is a day that exists.
 * @param {string | null} text
 * @returns {text is string}
 */
export function isDay(text) {
  if (!text || !/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const ms = time(text);
  return !Number.isNaN(ms) && dayAt(ms) === text;
}

/** @param {string} day @param {number} count */
export const addDays = (day, count) => dayAt(time(day) + count * DAY);

/** Days from the first to the second. @param {string} from @param {string} to */
export const daysBetween = (from, to) => Math.round((time(to) - time(from)) / DAY);

/** Seconds since 1970, as charts count time. @param {string} day */
export const seconds = (day) => time(day) / 1000;

/** @param {string[]} days */
const earliest = (...days) => days.sort()[0];

/** @param {string[]} days @returns {string} */
export const latest = (...days) => days.sort()[days.length - 1];

/** Today in UTC. @param {Date} [now] */
export const today = (now = new Date()) => dayAt(now.getTime());

/** The Monday of the week in which the day lies. @param {string} day */
export function mondayOf(day) {
  const fromMonday = (new Date(time(day)).getUTCDay() + 6) % 7;
  return addDays(day, -fromMonday);
}

/**
 * The first days of all days or weeks of a range, whose end is exclusive.
 * @param {string} from
 * @param {string} to
 * @param {Bucket} bucket
 * @returns {string[]}
 */
export function starts(from, to, bucket) {
  const step = bucket === "week" ? 7 : 1;
  const all = [];
  for (let day = bucket === "week" ? mondayOf(from) : from; day < to; day = addDays(day, step)) all.push(day);
  return all;
}

/**
 * The days of one bucket that lie within a range.
 * @param {string} start
 * @param {Bucket} bucket
 * @param {{from: string, to: string}} range
 */
export function within(start, bucket, range) {
  const end = addDays(start, bucket === "week" ? 7 : 1);
  return { from: latest(start, range.from), to: earliest(end, range.to) };
}

/**
 * The range of the same length that ends where this one begins.
 * @param {{from: string, to: string}} range
 */
export function before(range) {
  return { from: addDays(range.from, -daysBetween(range.from, range.to)), to: range.from };
}
