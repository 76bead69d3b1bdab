// Short messages that say what an action did.
import { html, useEffect } from "../lib/html.js";
import { createStore, useStore } from "../lib/store.js";
import { words } from "../lib/words.js";
import { Icon } from "./icon.js";

/** @typedef {{ id: number, text: any, isBad: boolean }} Message */

const messages = createStore(/** @type {Message[]} */ ([]));
const SHOWN_FOR = 6000;
let lastId = 0;

/** @param {any} text in which texts of others are in `<bdi>` @param {{ isBad?: boolean }} [options] bad ones stay until they are closed */
function toast(text, { isBad = false } = {}) {
  lastId += 1;
  messages.set([...messages.get().slice(-3), { id: lastId, text, isBad }]);
}

/** @param {number} id */
const close = (id) => messages.set(messages.get().filter((message) => message.id !== id));

export const useToast = () => toast;

/** Says why an action failed. @param {any} error */
export const toastFailure = (error) => toast(words(error).join(" "), { isBad: true });

/** Where the messages appear; the shell has one. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${useStore(messages).map((message) => html`<${Toast} key=${message.id} message=${message} />`)}
  </div>`;
}

/** @param {{ message: Message }} props */
function Toast({ message: { id, text, isBad } }) {
  useEffect(() => {
    if (isBad) return;
    const timer = setTimeout(() => close(id), SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [id, isBad]);
  return html`<div class=${isBad ? "toast bad" : "toast"}>
    <${Icon} name=${isBad ? "warning" : "check"} />
    <p>${text}</p>
    <button type="button" class="button quiet small" aria-label="Close" onClick=${() => close(id)}>
      <${Icon} name="close" />
    </button>
  </div>`;
}
