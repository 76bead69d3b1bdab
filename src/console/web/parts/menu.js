import { html, useEffect, useId, useRef, useState } from "../lib/html.js";
import { Link } from "../lib/router.js";
import { Icon } from "./icon.js";

/** @typedef {{ text: any, run?: () => any, href?: string, download?: string | boolean, isChecked?: boolean }} Item */

/**
 * A button that opens a menu.
 * @param {{ label: any, items: Item[], icon?: string, kind?: string, name?: string }} props `name`: for screen readers,
 *   where the label is no text
 */
export function Menu({ label, items, icon, kind = "plain", name }) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const list = useRef(/** @type {HTMLDivElement | null} */ (null));
  const id = useId();

  useEffect(() => {
    if (!isOpen) return;
    itemAt(0)?.focus();
    /** @param {PointerEvent} event */
    const onPointer = (event) => {
      const inside = event.target instanceof Node && button.current?.parentElement?.contains(event.target);
      if (!inside) setOpen(false);
    };
    document.addEventListener("pointerdown", onPointer);
    return () => document.removeEventListener("pointerdown", onPointer);
  }, [isOpen]);

  const all = () => /** @type {HTMLElement[]} */ ([...(list.current?.querySelectorAll("[role^=menuitem]") ?? [])]);
  const itemAt = (/** @type {number} */ index) => all().at(index % Math.max(1, all().length));

  function close() {
    setOpen(false);
    button.current?.focus();
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const at = all().indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "ArrowDown") itemAt(at + 1)?.focus();
    else if (event.key === "ArrowUp") itemAt(at - 1)?.focus();
    else if (event.key === "Home") itemAt(0)?.focus();
    else if (event.key === "End") itemAt(-1)?.focus();
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") return setOpen(false);
    else if (event.key.length === 1 && event.key !== " ") {
      const starts = (/** @type {HTMLElement} */ item) =>
        item.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase());
      [...all().slice(at + 1), ...all()].find(starts)?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {KeyboardEvent} event */
  function onButtonKey(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    setOpen(true);
  }

  return html`<div class="menu">
    <button
      ref=${button}
      type="button"
      class=${`button ${kind}`}
      aria-haspopup="menu"
      aria-expanded=${isOpen}
      aria-controls=${isOpen ? id : undefined}
      aria-label=${name}
      onClick=${() => setOpen(!isOpen)}
      onKeyDown=${onButtonKey}
    >
      ${icon && html`<${Icon} name=${icon} />`}${label}${!(icon && !label) && html`<${Icon} name="down" />`}
    </button>
    ${
      isOpen &&
      html`<div ref=${list} id=${id} class="menu-items" role="menu" onKeyDown=${onKeyDown}>
      ${items.map((item) => html`<${MenuItem} item=${item} onChosen=${close} />`)}
    </div>`
    }
  </div>`;
}

/** @param {{ item: Item, onChosen: () => void }} props */
function MenuItem({ item: { text, run, href, download, isChecked }, onChosen }) {
  function choose() {
    onChosen();
    run?.();
  }
  if (href !== undefined) {
    const isPage = href.startsWith("/console/") && download === undefined;
    return html`<${isPage ? Link : "a"} role="menuitem" tabindex="-1" href=${href} download=${download} onClick=${choose}>${text}<//>`;
  }
  const check = isChecked === undefined ? {} : { role: "menuitemcheckbox", "aria-checked": isChecked };
  return html`<button type="button" role="menuitem" tabindex="-1" onClick=${choose} ...${check}>${text}</button>`;
}
