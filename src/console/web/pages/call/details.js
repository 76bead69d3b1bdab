// The details of utterances (emotions, timings of words), which are loaded for the part of the call that is shown.

/** Utterances per request; also the most that the API sends at once. */
export const CHUNK = 200;

/** @typedef {{ seq: number, start: number, end: number }} Spoken */

/**
 * The chunks that hold a range of utterances.
 * @param {number} first
 * @param {number} last
 * @param {number} count of all utterances
 * @returns {number[]}
 */
export function chunksOf(first, last, count) {
  if (count === 0 || last < first) return [];
  const from = Math.floor(Math.max(0, first) / CHUNK);
  const to = Math.floor(Math.min(last, count - 1) / CHUNK);
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/**
 * The times by which the API finds all utterances of a chunk. It may find others too, where utterances overlap.
 * @param {readonly Spoken[]} utterances
 * @param {number} chunk
 * @returns {{ from: number, to: number }} seconds
 */
export function timesOf(utterances, chunk) {
  const own = utterances.slice(chunk * CHUNK, (chunk + 1) * CHUNK);
  const from = Math.min(...own.map(({ start }) => start));
  // `to` is not part of the range, and has to be greater than `from`.
  const to = Math.max(...own.map(({ start }) => start)) + 0.001;
  return { from: Math.max(0, from), to };
}
