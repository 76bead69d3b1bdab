import { html, useEffect, useRef, useState } from "../lib/html.js";
import { Icon } from "./icon.js";
import { toastFailure } from "./toast.js";

/**
 * A button. While what it does takes time (`onClick` returned a promise), it is busy; if that fails, it says why.
 * @param {{ kind?: "plain" | "primary" | "danger" | "quiet", icon?: string, onClick?: (event: MouseEvent) => any,
 *   disabled?: boolean, children?: any, class?: string, [attribute: string]: any }} props
 */
export function Button({ kind = "plain", icon, onClick, disabled = false, children, class: name = "", ...attributes }) {
  const [isBusy, setBusy] = useState(false);
  const isShown = useRef(true);
  useEffect(() => {
    isShown.current = true;
    return () => {
      isShown.current = false;
    };
  }, []);

  /** @param {MouseEvent} event */
  async function press(event) {
    // Not the attribute `disabled`, which would take the focus away.
    if (isBusy || disabled) return event.preventDefault();
    const answer = onClick?.(event);
    if (!(answer instanceof Promise)) return;
    setBusy(true);
    try {
      await answer;
    } catch (error) {
      toastFailure(error);
    } finally {
      if (isShown.current) setBusy(false);
    }
  }

  return html`<button
    type="button"
    class=${`button ${kind} ${name}`}
    aria-busy=${isBusy}
    aria-disabled=${disabled || isBusy}
    onClick=${press}
    ...${attributes}
  >
    ${icon && html`<${Icon} name=${icon} />`}${children}
  </button>`;
}
