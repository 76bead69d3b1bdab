import { html } from "../lib/html.js";
import { registeredKeys } from "../lib/keys.js";
import { useStore } from "../lib/store.js";
import { Dialog } from "./dialog.js";

/** @type {Record<string, string>} */
const NAMES = {
  " ": "space",
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Enter: "Enter",
};

/** All keys of the page. @param {{ onClose: () => void }} props */
export function KeyHelp({ onClose }) {
  const keys = useStore(registeredKeys).flat();
  const groups = [...new Set(keys.map(({ group = "This page" }) => group))];
  return html`<${Dialog} title="Keyboard shortcuts" onClose=${onClose}>
    ${groups.map(
      (name) => html`<section key=${name} class="keys">
        <h3>${name}</h3>
        <dl>
          ${keys
            .filter(({ group = "This page" }) => group === name)
            .map(
              ({ key, what }) => html`<div>
                <dt>${key === " " ? html`<kbd>space</kbd>` : key.split(" ").map((one) => html`<kbd>${NAMES[one] ?? one.toUpperCase()}</kbd> `)}</dt>
                <dd>${what}</dd>
              </div>`,
            )}
        </dl>
      </section>`,
    )}
  <//>`;
}
