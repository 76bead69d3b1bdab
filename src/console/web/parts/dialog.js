import { html, useEffect, useId, useRef } from "../lib/html.js";
import { Icon } from "./icon.js";

/**
 * A modal dialog: the browser keeps the focus inside, closes it on Escape, and gives the focus back. The focus begins at
 * the element with `data-focus`, at the first field of a form, or at the first element that takes it.
 * @param {{ title: any, onClose: () => void, children?: any, class?: string }} props
 */
export function Dialog({ title, onClose, children, class: name = "" }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
    /** @type {HTMLElement | null | undefined} */ (
      dialog.current?.querySelector("[data-focus], .form :is(input, select)")
    )?.focus();
  }, []);
  /** @param {MouseEvent} event */
  const onClick = (event) => event.target === dialog.current && dialog.current?.close();
  return html`<dialog ref=${dialog} class=${`dialog ${name}`} aria-labelledby=${id} onClose=${onClose} onClick=${onClick}>
    <div class="dialog-content">
      <header>
        <h2 id=${id}>${title}</h2>
        <button type="button" class="button quiet small" aria-label="Close" onClick=${() => dialog.current?.close()}>
          <${Icon} name="close" />
        </button>
      </header>
      ${children}
    </div>
  </dialog>`;
}
