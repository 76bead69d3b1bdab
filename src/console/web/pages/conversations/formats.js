// Values of measures, and days, as the reader's locale writes them.
import { duration, number, percent } from "../../lib/format.js";

/** @import { Bucket } from "./days.js" */
/** @import { Measure } from "./measures.js" */

const rates = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

/** @type {Record<Measure["unit"], (value: number) => string>} */
const FORMATS = {
  count: number,
  hours: (value) => rates.format(value),
  minutes: duration,
  seconds: duration,
  share: percent,
  rate: (value) => rates.format(value),
};

/**
 * @param {Measure["unit"]} unit
 * @returns {(value: number | null) => string}
 */
export const formatOf = (unit) => (value) => (value === null ? "–" : FORMATS[unit](value));

const signed = new Intl.NumberFormat(undefined, {
  style: "percent",
  maximumFractionDigits: 0,
  signDisplay: "exceptZero",
});

/** "+12%" @param {number} share */
export const signedPercent = (share) => signed.format(share);

const options = /** @type {const} */ ({ month: "short", day: "numeric", timeZone: "UTC" });
const short = new Intl.DateTimeFormat(undefined, options);
const withYear = new Intl.DateTimeFormat(undefined, { ...options, year: "numeric" });
const withWeekday = new Intl.DateTimeFormat(undefined, { ...options, weekday: "short", year: "numeric" });

/** @param {string} day */
const date = (day) => new Date(`${day}T00:00:00Z`);

/** "May 4" @param {string} day */
export const shortDay = (day) => short.format(date(day));

/** "May 4, 2026" @param {string} day */
export const longDay = (day) => withYear.format(date(day));

/** "Mon, May 4, 2026", or "week of May 4, 2026" @param {string} start @param {Bucket} bucket */
export const bucketName = (start, bucket) =>
  bucket === "week" ? `week of ${longDay(start)}` : withWeekday.format(date(start));
