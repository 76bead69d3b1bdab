// Finding words within a call: every occurrence, whatever its case and accents.

/**
 * @typedef {object} Hit
 * @property {number} utterance index
 * @property {number} from first character in the text of the utterance
 * @property {number} to character after the last one
 */

/** @typedef {{ text: string, places: Uint32Array | null }} Folded */

const PLAIN = /^[\x20-\x7e]*$/;
const MARKS = /\p{Mark}+/gu;

/**
 * A text as it is compared, and for each of its characters the place it has in the original; `null` if all are the same.
 * @param {string} text
 * @returns {Folded}
 */
export function fold(text) {
  if (PLAIN.test(text)) return { text: text.toLowerCase(), places: null };
  let folded = "";
  /** @type {number[]} */
  const places = [];
  let place = 0;
  for (const character of text) {
    const plain = /\s/u.test(character) ? " " : character.normalize("NFKD").replace(MARKS, "").toLowerCase();
    for (let unit = 0; unit < plain.length; unit++) places.push(place);
    folded += plain;
    place += character.length;
  }
  places.push(place);
  return { text: folded, places: Uint32Array.from(places) };
}

/** Searches the texts of a call. They are folded once, when something is first searched for. */
export class Finder {
  /** @param {readonly { text: string }[]} utterances */
  constructor(utterances) {
    this.utterances = utterances;
    /** @type {Folded[] | null} */
    this.folded = null;
  }

  /**
   * All occurrences in the order of the transcript. They do not overlap, and are within one utterance each.
   * @param {string} query
   * @returns {Hit[]}
   */
  find(query) {
    const wanted = fold(query.trim().replace(/\s+/gu, " ")).text;
    if (wanted === "") return [];
    this.folded ??= this.utterances.map(({ text }) => fold(text));
    /** @type {Hit[]} */
    const hits = [];
    this.folded.forEach(({ text, places }, utterance) => {
      for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
        const end = at + wanted.length;
        const [from, to] = places ? [places[at], endOf(places, end)] : [at, end];
        hits.push({ utterance, from, to });
      }
    });
    return hits;
  }
}

/** Where a match ends in the original: after the whole character of which it may have matched a part. */
function endOf(/** @type {Uint32Array} */ places, /** @type {number} */ end) {
  let next = end;
  while (next < places.length - 1 && places[next] === places[end - 1]) next++;
  return places[next];
}

/**
 * The hits of each utterance that has any.
 * @param {readonly Hit[]} hits
 * @returns {Map<number, { hit: Hit, index: number }[]>}
 */
export function hitsByUtterance(hits) {
  /** @type {Map<number, { hit: Hit, index: number }[]>} */
  const found = new Map();
  hits.forEach((hit, index) => {
    const others = found.get(hit.utterance);
    if (others) others.push({ hit, index });
    else found.set(hit.utterance, [{ hit, index }]);
  });
  return found;
}

/**
 * The first hit at or after an utterance, or else the first of all; -1 without hits.
 * @param {readonly Hit[]} hits
 * @param {number} utterance
 */
export function hitFrom(hits, utterance) {
  const next = hits.findIndex((hit) => hit.utterance >= utterance);
  return next < 0 ? Math.min(0, hits.length - 1) : next;
}
