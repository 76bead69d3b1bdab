import { html, useId, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { Link } from "../lib/router.js";
import { Icon } from "./icon.js";
import { toastFailure } from "./toast.js";

/** @typedef {{ text: any, run?: () => any, href?: string, download?: string | boolean }} Item */

/** Pixels between the button and the menu, and between the menu and the edge of the screen. */
const GAP = 4;

/**
 * A button that opens a menu.
 * @param {{ label?: any, items: Item[], icon?: string, kind?: string, name?: string }} props `name`: for screen readers,
 *   where the label is no text
 */
export function Menu({ label, items, icon, kind = "plain", name }) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const list = useRef(/** @type {HTMLDivElement | null} */ (null));
  const id = useId();

  useLayoutEffect(() => {
    if (!isOpen || !button.current || !list.current) return;
    place(list.current, button.current.getBoundingClientRect());
    all()[0]?.focus();
    const close = () => list.current?.hidePopover();
    window.addEventListener("resize", close);
    return () => window.removeEventListener("resize", close);
  }, [isOpen]);

  const all = () => /** @type {HTMLElement[]} */ ([...(list.current?.querySelectorAll("[role=menuitem]") ?? [])]);

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const found = all();
    const at = found.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "ArrowDown") found.at((at + 1) % found.length)?.focus();
    else if (event.key === "ArrowUp") found.at(at - 1)?.focus();
    else if (event.key === "Home") found[0]?.focus();
    else if (event.key === "End") found.at(-1)?.focus();
    else if (event.key === "Tab") return list.current?.hidePopover();
    else if (event.key === "Escape") {
      list.current?.hidePopover();
      button.current?.focus();
    } else if (event.key.length === 1 && event.key !== " ") {
      const begins = (/** @type {HTMLElement} */ item) =>
        item.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase());
      [...found.slice(at + 1), ...found].find(begins)?.focus();
    } else return;
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  function onButtonKey(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    list.current?.showPopover();
  }

  return html`<button
      ref=${button}
      type="button"
      class=${`button ${kind}`}
      popovertarget=${id}
      aria-haspopup="menu"
      aria-expanded=${isOpen}
      aria-label=${name}
      onKeyDown=${onButtonKey}
    >
      ${icon && html`<${Icon} name=${icon} />`}${label && html`<span class="one-line">${label}</span><${Icon} name="down" />`}
    </button>
    <div
      ref=${list}
      id=${id}
      class="menu"
      role="menu"
      aria-label=${name ?? label}
      popover="auto"
      onToggle=${(/** @type {ToggleEvent} */ event) => setOpen(event.newState === "open")}
      onKeyDown=${onKeyDown}
    >
      ${isOpen && items.map((item) => html`<${MenuItem} item=${item} onChosen=${() => list.current?.hidePopover()} />`)}
    </div>`;
}

/** Puts the menu below the button, or above it where there is more room. @param {HTMLElement} menu @param {DOMRect} at */
function place(menu, at) {
  const { innerWidth, innerHeight } = window;
  const below = innerHeight - at.bottom - 2 * GAP;
  const isBelow = menu.offsetHeight <= below || below >= at.top;
  const startsAt = at.left + menu.offsetWidth + GAP <= innerWidth ? at.left : at.right - menu.offsetWidth;
  menu.style.left = `${Math.max(GAP, startsAt)}px`;
  menu.style.top = isBelow ? `${at.bottom + GAP}px` : "auto";
  menu.style.bottom = isBelow ? "auto" : `${innerHeight - at.top + GAP}px`;
  menu.style.maxHeight = `${(isBelow ? below : at.top) - GAP}px`;
}

/** @param {{ item: Item, onChosen: () => void }} props */
function MenuItem({ item: { text, run, href, download }, onChosen }) {
  async function choose() {
    onChosen();
    await Promise.resolve(run?.()).catch(toastFailure);
  }
  if (href !== undefined) {
    const isPage = href.startsWith("/console/") && download === undefined;
    return html`<${isPage ? Link : "a"} role="menuitem" tabindex="-1" href=${href} download=${download} onClick=${choose}>${text}<//>`;
  }
  return html`<button type="button" role="menuitem" tabindex="-1" onClick=${choose}>${text}</button>`;
}
