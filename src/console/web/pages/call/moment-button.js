import { duration } from "../../lib/format.js";
import { html } from "../../lib/html.js";

/**
 * A moment of the call, which plays from there.
 * @param {{ start: number, what?: string, onGo: (seconds: number) => void }} props `what`: what is heard there
 */
export function MomentButton({ start, what, onGo }) {
  const at = duration(start);
  return html`<button type="button" class="moment" aria-label=${what ? `${at}: ${what}` : `Go to ${at}`} onClick=${() => onGo(start)}>
    ${at}
  </button>`;
}
