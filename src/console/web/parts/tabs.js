import { html, useLayoutEffect, useRef } from "../lib/html.js";
import { Link } from "../lib/router.js";

/** @typedef {{ id: string, title: string, count?: string | number, href?: string }} Tab */

/**
 * Tabs. With `href` they are links to pages; without, they choose what `children` shows.
 * @param {{ label: string, tabs: Tab[], selected: string, onSelect?: (id: string) => void, children?: any }} props
 */
export function Tabs({ label, tabs, selected, onSelect, children }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const own = list.current;
    const tab = /** @type {HTMLElement | null | undefined} */ (
      own?.querySelector("[aria-current], [aria-selected=true]")
    );
    // On a phone there is no room for all of them.
    if (own && tab) own.scrollLeft = tab.offsetLeft - own.offsetLeft - (own.clientWidth - tab.offsetWidth) / 2;
  }, [selected]);
  if (tabs[0]?.href) {
    return html`<nav ref=${list} class="tabs" aria-label=${label}>
        ${tabs.map(
          (tab) =>
            html`<${Link} key=${tab.id} class="tab" href=${tab.href} aria-current=${tab.id === selected ? "page" : undefined}>
              <${Title} tab=${tab} />
            <//>`,
        )}
      </nav>
      ${children}`;
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const at = tabs.findIndex(({ id }) => id === selected);
    /** @type {Record<string, number>} */
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = tabs[(moves[event.key] + tabs.length) % tabs.length];
    onSelect?.(next.id);
    const list = /** @type {HTMLElement} */ (event.currentTarget);
    /** @type {HTMLElement | null} */ (list.querySelector(`[data-tab="${next.id}"]`))?.focus();
  }

  return html`<div ref=${list} class="tabs" role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
      ${tabs.map(
        (tab) =>
          html`<button
            key=${tab.id}
            type="button"
            class="tab"
            role="tab"
            data-tab=${tab.id}
            id=${`tab-${tab.id}`}
            aria-selected=${tab.id === selected}
            aria-controls="tab-content"
            tabindex=${tab.id === selected ? 0 : -1}
            onClick=${() => onSelect?.(tab.id)}
          >
            <${Title} tab=${tab} />
          </button>`,
      )}
    </div>
    <div id="tab-content" role="tabpanel" aria-labelledby=${`tab-${selected}`}>${children}</div>`;
}

/** @param {{ tab: Tab }} props */
function Title({ tab: { title, count } }) {
  return html`${title}${count !== undefined && html` <span class="count">${count}</span>`}`;
}
