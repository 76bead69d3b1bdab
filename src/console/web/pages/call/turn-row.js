// One turn of the transcript, as text: whatever was said is never taken for markup.
import { duration } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { emotionColor } from "./colors.js";

/** @typedef {import("./find.js").Hit} Hit */
/** @typedef {{ hit: Hit, index: number }} FoundHit */

/**
 * A text cut at its hits.
 * @param {string} text
 * @param {readonly FoundHit[]} hits
 * @returns {{ text: string, hit: number }[]} `hit` is its number, or -1
 */
export function piecesOf(text, hits) {
  const pieces = [];
  let from = 0;
  for (const { hit, index } of hits) {
    if (hit.from > from) pieces.push({ text: text.slice(from, hit.from), hit: -1 });
    pieces.push({ text: text.slice(hit.from, hit.to), hit: index });
    from = hit.to;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), hit: -1 });
  return pieces;
}

/**
 * @param {object} call
 * @param {readonly import("./turns.js").Utterance[]} call.utterances
 * @param {import("./turns.js").Turn} call.turn
 * @param {number} call.index of the turn
 * @param {number} call.count of all turns
 * @param {string} call.name of the speaker
 * @param {string} call.color name of a custom property
 * @param {(index: number) => import("./load.js").Detail | undefined} call.detail
 * @param {number} call.heard index of the utterance that is heard
 * @param {Map<number, FoundHit[]>} call.hits by utterance
 * @param {number} call.hit number of the selected one
 * @param {boolean} call.isStop whether the tab key stops at it
 */
export function turnRow({ utterances, turn, index, count, name, color, detail, heard, hits, hit, isStop }) {
  const said = utterances.slice(turn.first, turn.last + 1);
  const isHeard = heard >= turn.first && heard <= turn.last;
  return html`<article
    key=${index}
    class=${isHeard ? "turn is-heard" : "turn"}
    data-row=${index}
    aria-posinset=${index + 1}
    aria-setsize=${count}
    aria-label=${`${name}, ${duration(said[0].start)}`}
  >
    <header>
      <span class="speaker-dot" style=${{ background: `var(${color})` }}></span>
      <bdi class="turn-speaker">${name}</bdi>
      <button
        type="button"
        class="moment"
        data-utterance=${turn.first}
        tabindex=${isStop ? 0 : -1}
        aria-label=${`Play from ${duration(said[0].start)}, ${name}`}
      >
        ${duration(said[0].start)}
      </button>
    </header>
    <p dir="auto">
      ${said.map((utterance, place) => utteranceOf(utterance, turn.first + place, detail, heard, hits, hit))}
    </p>
  </article>`;
}

/**
 * @param {import("./turns.js").Utterance} utterance
 * @param {number} index
 * @param {(index: number) => import("./load.js").Detail | undefined} detail
 * @param {number} heard
 * @param {Map<number, FoundHit[]>} hits
 * @param {number} selected
 */
function utteranceOf({ text }, index, detail, heard, hits, selected) {
  const emotion = detail(index)?.emotion;
  const own = hits.get(index);
  const pieces = own
    ? piecesOf(text, own).map(({ text, hit }) =>
        hit < 0 ? text : html`<mark class=${hit === selected ? "is-selected" : ""} data-hit=${hit}>${text}</mark>`,
      )
    : text;
  const tag = emotion && emotion.toLowerCase() !== "neutral" && html`<${EmotionTag} emotion=${emotion} />`;
  // The text is alone in its element, so that a place in it is a place in the utterance.
  return html`<span key=${index} class=${index === heard ? "utterance is-heard" : "utterance"}
    >${tag}<bdi data-utterance=${index} class=${ISOLATES.test(text) ? "has-controls" : ""}>${pieces}</bdi> </span
  >`;
}

/** Controls that may end the isolation of the text, or go on after it. */
const ISOLATES = /[\u2066-\u2069]/;

/** @param {{ emotion: string }} props */
function EmotionTag({ emotion }) {
  return html`<bdi class="emotion" style=${{ "--emotion": `var(${emotionColor(emotion)})` }}>${emotion}</bdi> `;
}
