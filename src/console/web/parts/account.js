import { del, useGet } from "../lib/api.js";
import { Time } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { Button } from "./button.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";

/** @typedef {import("../lib/session.js").Session} Session */

/**
 * Who is signed in and whose world is shown.
 * @param {{ session: Session, onCaller: (caller: string) => Promise<void>, onHelp: () => void }} props
 */
export function Account({ session, onCaller, onHelp }) {
  const [isChoosing, setChoosing] = useState(false);
  const [isKeyOpen, setKeyOpen] = useState(false);
  async function signOut() {
    await del("/console/session");
    // Nothing of what was shown stays in memory.
    window.location.assign("/console/sign-in");
  }
  const items = [
    ...(session.callers ? [{ text: "Look at another caller…", run: () => setChoosing(true) }] : []),
    { text: "Your key", run: () => setKeyOpen(true) },
    { text: "Keyboard shortcuts", run: onHelp },
    { text: "API reference", href: "/docs" },
    { text: "Sign out", run: signOut },
  ];
  return html`<div class="account">
    <${Menu} icon="person" kind="quiet" label=${session.caller} name=${`Account: ${session.caller}`} items=${items} />
    ${isChoosing && html`<${Callers} session=${session} onCaller=${onCaller} onClose=${() => setChoosing(false)} />`}
    ${isKeyOpen && html`<${KeyFacts} session=${session} onClose=${() => setKeyOpen(false)} />`}
  </div>`;
}

/** @param {{ session: Session, onCaller: (caller: string) => Promise<void>, onClose: () => void }} props */
function Callers({ session, onCaller, onClose }) {
  const [text, setText] = useState("");
  // Since the session was loaded, keys may have been made for new callers.
  const { data = session } = useGet("/console/session");
  const callers = (data.callers ?? []).filter((/** @type {string} */ name) =>
    name.toLowerCase().includes(text.toLowerCase()),
  );
  /** @param {string} caller */
  async function choose(caller) {
    await onCaller(caller);
    onClose();
  }
  return html`<${Dialog} title="Look at another caller" onClose=${onClose}>
    <p class="muted">Everything but the operations then shows what this caller sees.</p>
    <form
      onSubmit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        if (callers.length > 0) choose(callers[0]);
      }}
    >
      <input
        type="search"
        class="callers-search"
        aria-label="Find a caller"
        placeholder="Find a caller"
        data-focus
        value=${text}
        onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}
      />
    </form>
    <ul class="callers">
      ${callers.map(
        (/** @type {string} */ caller) =>
          html`<li key=${caller}>
            <${Button} kind="quiet" aria-current=${caller === session.caller} onClick=${() => choose(caller)}>
              <span>${caller}</span>
              ${caller === session.ownCaller && html`<span class="muted">your own</span>`}
              ${caller === session.caller && html`<${Icon} name="check" />`}
            <//>
          </li>`,
      )}
    </ul>
    ${callers.length === 0 && html`<p>No caller has “${text}” in its name.</p>`}
  <//>`;
}

/** @param {{ session: Session, onClose: () => void }} props */
function KeyFacts({ session, onClose }) {
  return html`<${Dialog} title="Your key" onClose=${onClose}>
    <dl class="facts">
      <dt>Name</dt>
      <dd>${session.keyName}</dd>
      <dt>Caller</dt>
      <dd>${session.ownCaller}</dd>
      <dt>Session ends</dt>
      <dd><${Time} at=${session.expiresAt} /></dd>
      <dt>May</dt>
      <dd class="scopes">${session.scopes.map((scope) => html`<code key=${scope}>${scope}</code>`)}</dd>
      <dt>Service</dt>
      <dd>Aftercall ${session.version}, ${session.environment}</dd>
    </dl>
  <//>`;
}
