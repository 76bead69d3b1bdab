// Series over time from the rows of `GET /v1/stats/jobs`.
/** @import { Sums } from "./measures.js" */

/** @typedef {Api["GroupView"]} Group */

/**
 * A value for every bucket. The API leaves out buckets without jobs: for sums these are `empty` 0, for anything else
 * there is nothing to show (null, a gap in the line).
 * @param {{start: string, measures: Sums}[]} points
 * @param {string[]} starts
 * @param {(sums: Sums) => number | null} value
 * @param {0 | null} empty
 * @returns {(number | null)[]}
 */
export function aligned(points, starts, value, empty) {
  const at = new Map(points.map((point) => [point.start, point.measures]));
  return starts.map((start) => {
    const sums = at.get(start);
    return sums ? value(sums) : empty;
  });
}

/**
 * Each line on top of those before it, and the last on top of all; null where there is nothing in any of them.
 * @param {(number | null)[][]} lines
 * @returns {(number | null)[][]}
 */
export function stacked(lines) {
  const isGap = (lines[0] ?? []).map((_, i) => lines.every((line) => line[i] === null));
  /** @type {(number | null)[][]} */
  const stack = [];
  for (const line of lines) {
    const below = stack.at(-1);
    stack.push(line.map((value, i) => (isGap[i] ? null : (value ?? 0) + (below?.[i] ?? 0))));
  }
  return stack;
}

/**
 * Each value as its share of all lines there; null where all of them are 0.
 * @param {(number | null)[][]} lines
 * @returns {(number | null)[][]}
 */
export function shares(lines) {
  const totals = (lines[0] ?? []).map((_, i) => lines.reduce((sum, line) => sum + (line[i] ?? 0), 0));
  return lines.map((line) => line.map((value, i) => (totals[i] ? (value ?? 0) / totals[i] : null)));
}

/**
 * The sums of all rows together.
 * @param {Sums[]} rows
 * @returns {Sums}
 */
export function total(rows) {
  /** @type {Sums} */
  const sums = {};
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) sums[name] = (sums[name] ?? 0) + (value ?? 0);
  }
  return sums;
}

/**
 * How the count of each value differs from an earlier time of the same length. `rise` is null where the value did not
 * occur earlier, or where that is unknown because `earlier` is not complete.
 * @param {Group[]} groups
 * @param {Group[]} earlier
 * @param {boolean} isComplete whether `earlier` has all values
 */
export function risen(groups, earlier, isComplete) {
  const counts = new Map(earlier.map((group) => [group.group, group.measures.completed ?? 0]));
  return groups.map((group) => {
    const now = group.measures.completed ?? 0;
    const then = counts.get(group.group);
    return {
      value: group.group ?? "",
      count: now,
      rise: then ? now / then - 1 : null,
      isNew: isComplete && !then,
    };
  });
}
