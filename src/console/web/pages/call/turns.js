// Turns: what one speaker says before another one does, as one reads it.

/**
 * @typedef {object} Utterance
 * @property {number} seq
 * @property {number} start seconds
 * @property {number} end seconds
 * @property {string} text
 * @property {string | null} [speakerId]
 */

/**
 * @typedef {object} Turn
 * @property {number} first index of its first utterance
 * @property {number} last index of its last utterance
 * @property {number} length of its text, in characters
 * @property {string | null} speakerId
 */

/** A longer pause begins a new turn, as in transcripts of the formats `md` and `paragraphs`. */
const PAUSE = 1.5;

/** A turn gets no further utterance beyond this many characters, so that a monologue stays readable and quick to draw. */
const LENGTH = 600;

/**
 * @param {readonly Utterance[]} utterances in the provider's order
 * @returns {Turn[]}
 */
export function turnsOf(utterances) {
  /** @type {Turn[]} */
  const turns = [];
  utterances.forEach((utterance, index) => {
    const turn = turns.at(-1);
    const speakerId = utterance.speakerId ?? null;
    const length = utterance.text.length;
    if (
      turn &&
      turn.speakerId === speakerId &&
      continues(utterances[index - 1], utterance) &&
      turn.length + length <= LENGTH
    ) {
      turn.last = index;
      turn.length += length + 1;
    } else {
      turns.push({ first: index, last: index, length, speakerId });
    }
  });
  return turns;
}

/** @param {Utterance} before @param {Utterance} next */
const continues = (before, next) => Math.abs(next.start - before.end) < PAUSE;

/**
 * The turn that contains an utterance.
 * @param {readonly Turn[]} turns
 * @param {number} index of the utterance
 */
export function turnOf(turns, index) {
  let low = 0;
  let high = turns.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (turns[middle].first <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}
