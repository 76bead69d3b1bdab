// Which utterance is heard at a time, and which of its words.

/** @typedef {{ start: number, end: number }} Span seconds */
/** @typedef {{ word: string, start: number, end: number }} Word */

/** The last element for which a condition holds that holds for a beginning of the list only; -1 if there is none. */
function lastWhere(/** @type {number} */ length, /** @type {(index: number) => boolean} */ holds) {
  let low = -1;
  let high = length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Finds utterances by time, whatever their order and however they overlap. */
export class Places {
  /** @param {readonly Span[]} utterances */
  constructor(utterances) {
    this.utterances = utterances;
    /** Indices of utterances by their start. */
    this.order = utterances.map((_, index) => index);
    this.order.sort(
      (a, b) => utterances[a].start - utterances[b].start || utterances[a].end - utterances[b].end || a - b,
    );
    /** The latest end among the utterances up to each place of the order. */
    this.latestEnds = new Float64Array(utterances.length);
    let latest = 0;
    this.order.forEach((index, place) => {
      latest = Math.max(latest, utterances[index].end);
      this.latestEnds[place] = latest;
    });
  }

  /** When the last utterance ends. */
  get end() {
    return this.latestEnds.at(-1) ?? 0;
  }

  /**
   * The utterance that began last of those that are heard; in a silence, the last one that was begun.
   * @param {number} seconds
   * @returns {number} its index; -1 before the first one
   */
  at(seconds) {
    const begun = lastWhere(this.order.length, (place) => this.utterances[this.order[place]].start <= seconds);
    for (let place = begun; place >= 0 && this.latestEnds[place] > seconds; place--) {
      if (this.utterances[this.order[place]].end > seconds) return this.order[place];
    }
    return begun < 0 ? -1 : this.order[begun];
  }

  /** The next utterance to begin. @param {number} seconds @returns {number} its index; -1 after the last one */
  after(seconds) {
    const begun = lastWhere(this.order.length, (place) => this.utterances[this.order[place]].start <= seconds);
    return this.order[begun + 1] ?? -1;
  }
}

/**
 * The timings of words that can be used: the provider's member is shown as it came, and may be anything.
 * @param {unknown} timings
 * @returns {Word[]}
 */
export function wordsOf(timings) {
  if (!Array.isArray(timings)) return [];
  return timings.filter(
    (word) => typeof word?.word === "string" && Number.isFinite(word.start) && Number.isFinite(word.end),
  );
}

/**
 * The last word that was begun; -1 before the first one.
 * @param {readonly Word[]} words in the order of time
 * @param {number} seconds
 */
export const wordAt = (words, seconds) => lastWhere(words.length, (index) => words[index].start <= seconds);

/** A word further ahead than this many characters is taken to be missing from the text. */
const REACH = 60;

/**
 * Where the words are in the text of their utterance. Words that are not in it have no place.
 * @param {string} text
 * @param {readonly Word[]} words
 * @returns {([from: number, to: number] | null)[]}
 */
export function wordRanges(text, words) {
  const lower = text.toLowerCase();
  // Lower case has another length for a few letters; then only exact matches count.
  const searched = lower.length === text.length ? lower : text;
  let from = 0;
  return words.map(({ word }) => {
    const wanted = searched === lower ? word.toLowerCase() : word;
    if (wanted === "") return null;
    const found = searched.indexOf(wanted, from);
    if (found < 0 || found - from > REACH) return null;
    from = found + wanted.length;
    return [found, from];
  });
}

/**
 * The word at a character of the text, or the one before it.
 * @param {readonly ([from: number, to: number] | null)[]} ranges
 * @param {number} offset
 */
export function wordAtOffset(ranges, offset) {
  let last = -1;
  ranges.forEach((range, index) => {
    if (range && range[0] <= offset) last = index;
  });
  return last;
}
