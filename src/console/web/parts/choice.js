// A few options, of which one is chosen.
import { html, useId } from "../lib/html.js";

/**
 * @typedef {object} ChoiceProps
 * @property {string} label
 * @property {boolean} [isLabelHidden] where the options say enough
 * @property {{value: string, label: string}[]} options
 * @property {string} value
 * @property {(value: string) => void} onChange
 */

/** As buttons: for options that are short. @param {ChoiceProps} props */
export function Choice({ label, isLabelHidden = false, options, value, onChange }) {
  const id = useId();
  return html`
    <div class="choice" role="group" aria-labelledby=${id}>
      <span id=${id} class=${isLabelHidden ? "visually-hidden" : "choice-label"}>${label}</span>
      <div class="choice-options">
        ${options.map(
          (
            option,
          ) => html`<button type="button" key=${option.value} aria-pressed=${option.value === value ? "true" : "false"}
            onClick=${() => onChange(option.value)}>${option.label}</button>`,
        )}
      </div>
    </div>
  `;
}

/** As a list that opens. @param {ChoiceProps} props */
export function Select({ label, options, value, onChange }) {
  const id = useId();
  return html`
    <div class="choice">
      <label for=${id} class="choice-label">${label}</label>
      <select id=${id} value=${value} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)}>
        ${options.map((option) => html`<option key=${option.value} value=${option.value} selected=${option.value === value}>${option.label}</option>`)}
      </select>
    </div>
  `;
}
