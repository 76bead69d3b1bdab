// How many jobs are in each state; a click filters by it.
import { useGet } from "../../lib/api.js";
import { number } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { inWords, STATES } from "./filters.js";

/** @typedef {import("./filters.js").State} State */
/** @typedef {{data: Record<State, number>, isComplete: boolean}} Counts */

/**
 * @param {Record<string, string | string[]>} filter
 * @returns {{counts: Counts | undefined, reload: () => Promise<void>}}
 */
export function useCounts({ status, ...others }) {
  const { data, reload } = useGet("/v1/jobs/counts", others);
  return { counts: data, reload };
}

/**
 * How many jobs are in one of the states, or in any; null if that is not known exactly.
 * @param {Counts | undefined} counts
 * @param {readonly string[]} states
 */
export function totalOf(counts, states) {
  if (!counts?.isComplete) return null;
  const counted = STATES.filter((state) => states.length === 0 || states.includes(state));
  return counted.reduce((sum, state) => sum + counts.data[state], 0);
}

/**
 * The states to filter by after a click on one: this one, or with a modifier this one too; any if it was the only one.
 * @param {readonly string[]} states
 * @param {State} clicked
 * @param {boolean} isAdded
 */
export function clickedStates(states, clicked, isAdded) {
  if (isAdded) return states.includes(clicked) ? states.filter((state) => state !== clicked) : [...states, clicked];
  return states.length === 1 && states[0] === clicked ? [] : [clicked];
}

/**
 * @param {{ counts: Counts | undefined, states: readonly string[], onStates: (states: string[]) => void }} props
 */
export function StateCounts({ counts, states, onStates }) {
  const shown = (/** @type {number | undefined} */ count) =>
    count === undefined ? "" : `${number(count)}${counts && !counts.isComplete && count > 0 ? "+" : ""}`;
  const all = counts && STATES.reduce((sum, state) => sum + counts.data[state], 0);
  return html`<div class="state-counts" role="group" aria-label="Jobs by state">
    <button type="button" aria-pressed=${states.length === 0} onClick=${() => onStates([])}>All <span class="count">${shown(all)}</span></button>
    ${STATES.map(
      (state) => html`<button key=${state} type="button" aria-pressed=${states.includes(state)}
      onClick=${(/** @type {MouseEvent} */ event) => onStates(clickedStates(states, state, event.shiftKey || event.ctrlKey || event.metaKey))}>
      ${inWords(state)} <span class="count">${shown(counts?.data[state])}</span>
    </button>`,
    )}
  </div>`;
}
