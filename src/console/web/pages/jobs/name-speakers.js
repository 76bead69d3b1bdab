// Asks for the names of speakers, for many jobs at once.
import { html, useState } from "../../lib/html.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";

/** The ids that most recordings have. */
const FIRST_IDS = ["0", "1"];

/** @param {{onNames: (names: Record<string, string>) => any, onClose: () => void}} props */
export function NameSpeakers({ onNames, onClose }) {
  const [speakers, setSpeakers] = useState(FIRST_IDS.map((id) => ({ id, name: "" })));
  const named = speakers.filter(({ id, name }) => id.trim() !== "" && name.trim() !== "");
  /** @param {number} at @param {{id?: string, name?: string}} change */
  const change = (at, change) =>
    setSpeakers(speakers.map((speaker, index) => (index === at ? { ...speaker, ...change } : speaker)));
  const value = (/** @type {InputEvent} */ event) => /** @type {HTMLInputElement} */ (event.currentTarget).value;
  const submit = () =>
    named.length > 0 && onNames(Object.fromEntries(named.map(({ id, name }) => [id.trim(), name.trim()])));

  return html`<${Dialog} title="Name speakers" class="name-speakers" onClose=${onClose}>
    <form onSubmit=${(/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      submit();
    }}>
      <p>All selected jobs get the same names, by the ids that their speakers have in transcripts.</p>
      <div class="name-rows">
        ${speakers.map(
          ({ id, name }, at) => html`<div key=${at} class="name-row">
          <label><span>Speaker id</span>
            <input value=${id} maxlength="200" onInput=${(/** @type {InputEvent} */ event) => change(at, { id: value(event) })} /></label>
          <label><span>Name</span>
            <input value=${name} maxlength="200" data-focus=${at === 0 || undefined}
              onInput=${(/** @type {InputEvent} */ event) => change(at, { name: value(event) })} /></label>
        </div>`,
        )}
      </div>
      <${Button} kind="quiet" icon="plus" onClick=${() => setSpeakers([...speakers, { id: String(speakers.length), name: "" }])}>Another speaker<//>
      <footer>
        <${Button} onClick=${onClose}>Cancel<//>
        <${Button} kind="primary" type="submit" disabled=${named.length === 0}>Continue<//>
      </footer>
    </form>
  <//>`;
}
