// Asks once before an action.
import { html } from "../lib/html.js";
import { createStore, useStore } from "../lib/store.js";
import { Dialog } from "./dialog.js";

/**
 * @typedef {object} Question
 * @property {any} title what would happen, as a question: "Retry 120 jobs?"
 * @property {any} [text] what to know before
 * @property {string} action what the button says: "Retry 120 jobs"
 * @property {boolean} [isDangerous] whether it deletes or ends something
 */

/** @typedef {Question & { answer: (isConfirmed: boolean) => void }} Asked */

const question = createStore(/** @type {Asked | null} */ (null));

/** @param {Question} asked @returns {Promise<boolean>} */
function confirm(asked) {
  question.get()?.answer(false);
  return new Promise((resolve) => {
    const answer = (/** @type {boolean} */ isConfirmed) => {
      question.set(null);
      resolve(isConfirmed);
    };
    question.set({ ...asked, answer });
  });
}

export const useConfirm = () => confirm;

/** Where the question appears; the shell has one. */
export function Confirmation() {
  const asked = useStore(question);
  if (!asked) return null;
  const { title, text, action, isDangerous, answer } = asked;
  return html`<${Dialog} title=${title} class="confirm" onClose=${() => answer(false)}>
    ${typeof text === "string" ? html`<p>${text}</p>` : text}
    <footer>
      <button type="button" class="button plain" data-focus=${isDangerous} onClick=${() => answer(false)}>Cancel</button>
      <button type="button" class=${`button ${isDangerous ? "danger" : "primary"}`} data-focus=${!isDangerous} onClick=${() => answer(true)}>
        ${action}
      </button>
    </footer>
  <//>`;
}
