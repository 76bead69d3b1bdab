// What a page shows while it has nothing to show: loading, empty, failed.
import { isOnline } from "../lib/api.js";
import { html, useEffect, useState } from "../lib/html.js";
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

/**
 * A component of a module that is loaded when it is shown for the first time.
 * @param {{ load: () => Promise<any>, name: string, props?: object }} props
 */
export function Loaded({ load, name, props }) {
  const [shown, setShown] = useState(/** @type {{ component?: any, error?: any }} */ ({}));
  useEffect(() => {
    load().then(
      (module) => setShown({ component: module[name] }),
      (error) => setShown({ error }),
    );
  }, []);
  if (shown.error) return html`<${Failure} error=${shown.error} retry=${() => window.location.reload()} />`;
  if (!shown.component) return html`<${Loading} />`;
  return html`<${shown.component} ...${props} />`;
}

/** @param {{ title: string, children?: any }} props `children`: what to do */
export function Empty({ title, children }) {
  return html`<div class="state empty">
    <h2>${title}</h2>
    ${children && html`<div class="state-text">${children}</div>`}
  </div>`;
}

/** The key may not see what the page shows. @param {{ scope: string, what: string }} props */
export function NoScope({ scope, what }) {
  return html`<${Empty} title=${`This key may not see ${what}`}>
    <p>Sign in with a key that has the scope <code>${scope}</code>.</p>
  <//>`;
}

/** Tries again by itself once the service is reached again. @param {{ error: any, retry?: () => any }} props */
export function Failure({ error, retry }) {
  const [title, text] = words(error);
  useEffect(() => {
    if (error?.isOffline) return isOnline.subscribe(() => isOnline.get() && retry?.());
  }, [error, retry]);
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
export function faultWords({ parameter, pointer, detail }) {
  const where = parameter ?? pointer?.replace(/^#\/?/, "");
  return `${where ? `${where}: ` : ""}${detail}.`;
}
