// Silences: stretches in which nobody speaks.

/** @typedef {{ start: number, end: number }} Span seconds */

/** Shorter pauses belong to speech. */
export const LEAST = 1.5;

/** What is kept of a silence that is skipped, at each of its ends, so that no word is cut off. */
const KEPT = 0.25;

/**
 * @param {readonly Span[]} utterances in any order
 * @param {number} duration of the recording
 * @returns {Span[]} in the order of time
 */
export function silencesOf(utterances, duration) {
  const inOrder = [...utterances].sort((a, b) => a.start - b.start);
  /** @type {Span[]} */
  const silences = [];
  let end = 0;
  for (const utterance of inOrder) {
    if (utterance.start - end >= LEAST) silences.push({ start: end, end: utterance.start });
    end = Math.max(end, utterance.end);
  }
  if (duration - end >= LEAST) silences.push({ start: end, end: duration });
  return silences;
}

/**
 * Where to go on if silences are skipped.
 * @param {readonly Span[]} silences in the order of time
 * @param {number} seconds
 * @returns {number | null} seconds; null where there is nothing to skip
 */
export function afterSilence(silences, seconds) {
  let low = 0;
  let high = silences.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (silences[middle].end - KEPT <= seconds) low = middle + 1;
    else high = middle;
  }
  const silence = silences[low];
  return silence && seconds >= silence.start + KEPT ? silence.end - KEPT : null;
}
