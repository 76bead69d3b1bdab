// Shortcuts of the keyboard.
import { useEffect, useRef } from "./html.js";
import { createStore } from "./store.js";

/**
 * @typedef {object} Key
 * @property {string} key as in `KeyboardEvent.key`; several, one after the other, are separated by spaces: "g j"
 * @property {string} what what it does, as the help shows it
 * @property {(event: KeyboardEvent) => void} run
 * @property {string} [group] heading in the help
 */

/** The keys of the components on the page; later ones come first. */
export const registeredKeys = createStore(/** @type {Key[][]} */ ([]));

/** Milliseconds in which the next key of a sequence has to come. */
const SEQUENCE_TIME = 1500;

/**
 * Keys that work while the component is shown, unless the reader is typing.
 * @param {Key[]} keys
 */
export function useKeys(keys) {
  const latest = useRef(keys);
  latest.current = keys;
  const names = keys.map(({ key, what }) => `${key}\n${what}`).join("\n");
  useEffect(() => {
    const registered = latest.current.map((known, index) => ({
      ...known,
      run: (/** @type {KeyboardEvent} */ event) => latest.current[index]?.run(event),
    }));
    registeredKeys.set([registered, ...registeredKeys.get()]);
    return () => registeredKeys.set(registeredKeys.get().filter((other) => other !== registered));
  }, [names]);
}

let typed = "";
let typedAt = 0;

/** Starts listening. */
export function startKeys() {
  window.addEventListener("keydown", onKey);
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTaken(event)) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const sequence = event.timeStamp - typedAt < SEQUENCE_TIME && typed !== "" ? `${typed} ${name}` : "";
  const all = registeredKeys.get().flat();
  const found = (sequence && all.find(({ key }) => key === sequence)) || all.find(({ key }) => key === name);
  const isBeginning = all.some(({ key }) => key.length > 1 && key.startsWith(`${name} `));
  typed = !found && isBeginning ? name : "";
  typedAt = event.timeStamp;
  if (!found) return;
  event.preventDefault();
  found.run(event);
}

/**
 * Whether the key belongs to what has the focus: text fields, open dialogs, and buttons for the keys that press them.
 * @param {KeyboardEvent} event
 */
function isTaken(event) {
  if (document.querySelector("dialog:modal")) return true;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select"))
    return true;
  const presses = event.key === " " || event.key === "Enter";
  return presses && target.closest("button, a[href], summary, input, [role=button], [role=option]") !== null;
}
