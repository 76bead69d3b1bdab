import { html } from "../../lib/html.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { COLUMNS } from "./columns.js";

/**
 * @param {{ shown: readonly string[], onChange: (keys: string[] | null) => void, onClose: () => void }} props
 *   `onChange` gets null for the default
 */
export function ChooseColumns({ shown, onChange, onClose }) {
  /** @param {string} key */
  const toggle = (key) =>
    onChange(
      COLUMNS.map((column) => column.key).filter((other) =>
        other === key ? !shown.includes(key) : shown.includes(other),
      ),
    );
  return html`<${Dialog} title="Columns" class="choose-columns" onClose=${onClose}>
    <div class="column-choices">
      ${COLUMNS.map(
        ({ key, title }) => html`<label key=${key} class="check">
        <input type="checkbox" checked=${shown.includes(key)} disabled=${key === "job"} onChange=${() => toggle(key)} /> ${title}
      </label>`,
      )}
    </div>
    <footer>
      <${Button} kind="quiet" onClick=${() => onChange(null)}>Usual columns<//>
      <${Button} kind="primary" onClick=${onClose}>Done<//>
    </footer>
  <//>`;
}
