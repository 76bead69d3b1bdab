// Times until or since something, in the two largest units.
import { number } from "../../lib/format.js";

/** @param {number} count @param {"second" | "minute" | "hour" | "day"} unit */
const of = (count, unit) =>
  new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "short" }).format(count);

/** "2 hr 10 min" @param {number} seconds */
export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86_400)];
  /** @type {(large: string, count: number, unit: "second" | "minute" | "hour") => string} */
  const two = (large, count, unit) => (count === 0 ? large : `${large} ${of(count, unit)}`);
  if (whole < 60) return of(whole, "second");
  if (whole < 3600) return two(of(minutes, "minute"), whole % 60, "second");
  if (whole < 86_400) return two(of(hours, "hour"), minutes % 60, "minute");
  return two(of(days, "day"), hours % 24, "hour");
}

/** "1 job", "3 jobs" @param {number} count @param {string} one @param {string} many */
export const counted = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;
