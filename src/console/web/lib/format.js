// Numbers and times as the reader's locale and zone write them.
import { html, useEffect } from "./html.js";
import { createStore, useStore } from "./store.js";

/** "1:02:03", or "2:03" below an hour. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const rest = two(whole % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

const numbers = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const percents = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

/** @param {number} value */
export const number = (value) => numbers.format(value);

/** @param {number} share from 0 to 1 */
export const percent = (share) => percents.format(share);

const BYTE_UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** In powers of a thousand. @param {number} value */
export function bytes(value) {
  const power = value < 1000 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), BYTE_UNITS.length - 1);
  const format = { style: "unit", unit: BYTE_UNITS[power], unitDisplay: "short", maximumFractionDigits: 1 };
  return new Intl.NumberFormat(undefined, /** @type {any} */ (format)).format(value / 1000 ** power);
}

const fullTimes = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const timesThisYear = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "numeric",
  minute: "2-digit",
});
const timesOtherYears = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const spans = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** For a title: "2026-05-01 09:30:00 UTC". @param {Date} date */
export const utc = (date) => `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const SPANS = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** "3 minutes ago", "in 2 hours". @param {Date} date @param {Date} now */
export function relativeTime(date, now) {
  const seconds = (date.getTime() - now.getTime()) / 1000;
  const [unit, size] = SPANS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return spans.format(Math.trunc(seconds / size), unit);
}

const now = createStore(new Date());
let readers = 0;
/** @type {ReturnType<typeof setInterval> | undefined} */
let clock;

/** The time, renewed every few seconds while someone reads it. */
function useNow() {
  useEffect(() => {
    readers += 1;
    clock ??= setInterval(() => now.set(new Date()), 5000);
    return () => {
      readers -= 1;
      if (readers > 0) return;
      clearInterval(clock);
      clock = undefined;
    };
  }, []);
  const known = useStore(now);
  return clock === undefined ? new Date() : known;
}

/**
 * A time in the reader's locale and zone; UTC on hover.
 * @param {{ at: string | null | undefined, relative?: boolean }} props `relative`: "3 minutes ago"
 */
export function Time({ at, relative = false }) {
  if (!at) return null;
  const date = new Date(at);
  const text = relative ? html`<${Ago} date=${date} />` : absoluteTime(date, new Date());
  const title = relative ? `${fullTimes.format(date)} (${utc(date)})` : utc(date);
  return html`<time dateTime=${at} title=${title}>${text}</time>`;
}

const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** @param {Date} date */
export const day = (date) => days.format(date);

/** @param {Date} date @param {Date} today */
export function absoluteTime(date, today) {
  return (date.getFullYear() === today.getFullYear() ? timesThisYear : timesOtherYears).format(date);
}

/** @param {{ date: Date }} props */
function Ago({ date }) {
  return relativeTime(date, useNow());
}
