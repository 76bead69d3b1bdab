// What a page shows while it has nothing to show: loading, empty, failed.
import { html } from "../lib/html.js";
import { words } from "../lib/words.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/** Appears only after a moment, so that fast answers do not flicker. @param {{ lines?: number }} props */
export function Loading({ lines = 3 }) {
  return html`<div class="loading" role="status">
    <span class="visually-hidden">Loading…</span>
    ${Array.from({ length: lines }, () => html`<div class="skeleton" aria-hidden="true" />`)}
  </div>`;
}

/** @param {{ title: string, children?: any }} props `children`: what to do */
export function Empty({ title, children }) {
  return html`<div class="state empty">
    <h2>${title}</h2>
    ${children && html`<div class="state-text">${children}</div>`}
  </div>`;
}

/** @param {{ error: any, retry?: () => any }} props */
export function Failure({ error, retry }) {
  const [title, text] = words(error);
  return html`<div class="state failure" role="alert">
    <${Icon} name=${error?.isOffline ? "offline" : "warning"} />
    <h2>${title}</h2>
    <div class="state-text">
      ${text && html`<p>${text}</p>`}
      ${
        error?.errors?.length > 0 &&
        html`<ul>
        ${error.errors.map((/** @type {import("../lib/api.js").Fault} */ fault) => html`<li>${faultWords(fault)}</li>`)}
      </ul>`
      }
      ${error?.requestId && html`<p class="muted">Request <code>${error.requestId}</code></p>`}
      ${retry && html`<${Button} icon="reload" onClick=${retry}>Try again<//>`}
    </div>
  </div>`;
}

/** @param {import("../lib/api.js").Fault} fault */
function faultWords({ parameter, pointer, detail }) {
  const where = parameter ?? pointer?.replace(/^#\/?/, "");
  return where ? `${where}: ${detail}` : detail;
}
