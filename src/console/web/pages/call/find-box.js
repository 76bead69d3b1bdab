// Finding words in the call.
import { number } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { Icon } from "../../parts/icon.js";

/**
 * @param {object} props
 * @param {{ current: HTMLInputElement | null }} props.input
 * @param {string} props.query
 * @param {number} props.count of hits
 * @param {number} props.hit number of the selected one, from 0; -1 for none
 * @param {(query: string) => void} props.onQuery
 * @param {(step: 1 | -1) => void} props.onStep to the next or previous hit
 * @param {() => void} props.onLeave gives the focus back to the page
 */
export function FindBox({ input, query, count, hit, onQuery, onStep, onLeave }) {
  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      onQuery("");
      onLeave();
    } else return;
    event.preventDefault();
  }
  const isAsked = query.trim() !== "";
  return html`<div class="find" role="search">
    <${Icon} name="search" />
    <input
      ref=${input}
      type="text"
      aria-label="Find in this call"
      placeholder="Find in this call"
      autocomplete="off"
      autocapitalize="none"
      spellcheck=${false}
      enterkeyhint="search"
      value=${query}
      onInput=${(/** @type {any} */ event) => onQuery(event.currentTarget.value)}
      onKeyDown=${onKeyDown}
    />
    <span class="find-count numbers" role="status">${isAsked && said(count, hit)}</span>
    ${
      isAsked &&
      html`<button type="button" class="button quiet small" aria-label="Previous hit" onClick=${() => onStep(-1)}>
          <${Icon} name="up" />
        </button>
        <button type="button" class="button quiet small" aria-label="Next hit" onClick=${() => onStep(1)}>
          <${Icon} name="down" />
        </button>`
    }
  </div>`;
}

/** @param {number} count @param {number} hit */
function said(count, hit) {
  if (count === 0) return "Not found";
  return `${number(hit + 1)} of ${number(count)}`;
}
