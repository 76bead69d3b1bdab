import { html, useEffect, useRef } from "../lib/html.js";
import { takeArrival } from "../lib/router.js";

/**
 * A page: its title, its actions, and its content. After navigation, the title takes the focus.
 * @param {{ title: string, actions?: any, children?: any, heading?: any, class?: string }} props
 *   `heading`: what is shown in place of `title`, which the browser's tab shows
 */
export function Page({ title, actions, children, heading = title, class: name = "" }) {
  const top = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  useEffect(() => {
    document.title = `${title} · Aftercall`;
  }, [title]);
  useEffect(() => {
    if (takeArrival()) top.current?.focus({ preventScroll: true });
  }, []);
  return html`<div class=${`page ${name}`}>
    <header class="page-header">
      <h1 ref=${top} tabindex="-1">${heading}</h1>
      ${actions && html`<div class="page-actions">${actions}</div>`}
    </header>
    ${children}
  </div>`;
}
