// What people come for, from beginning to end, at a desk and on a phone.
import { DESKTOP, scenario } from "../browser.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Locator} Locator */

/** @type {import("playwright-core").BrowserContextOptions} */
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/**
 * @typedef {object} Reader
 * @property {Page} page
 * @property {"desk" | "phone"} at
 * @property {(control: Locator) => Promise<void>} press clicks it, or taps on it
 */

/**
 * @param {string} name
 * @param {(reader: Reader) => Promise<void>} run
 * @param {Parameters<typeof scenario>[3]} [expected]
 */
export function journey(name, run, expected) {
  scenario(
    `${name} (at a desk)`,
    { ...DESKTOP, permissions: ["clipboard-read", "clipboard-write"] },
    (page) => run({ page, at: "desk", press: (control) => control.click() }),
    expected,
  );
  scenario(
    `${name} (on a phone)`,
    { ...PHONE, permissions: ["clipboard-read", "clipboard-write"] },
    (page) => run({ page, at: "phone", press: (control) => control.tap() }),
    expected,
  );
}

/**
 * Waits until this is what the page marks as heard, and all of it can be read: below the player, and above the end of the screen.
 * @param {Page} page
 * @param {string} text
 */
export const heard = (page, text) =>
  page.waitForFunction((text) => {
    const said = [...document.querySelectorAll(".utterance.is-heard")].find((it) => it.textContent?.includes(text));
    const player = document.querySelector(".player");
    if (!said || !player) return false;
    const { top, bottom } = said.getBoundingClientRect();
    return top >= player.getBoundingClientRect().bottom && bottom <= window.innerHeight;
  }, text);

/** The player's clock. @param {Page} page @param {RegExp} time */
export const clock = (page, time) => page.locator(".clock", { hasText: time }).waitFor();

/** A message that says what an action did. @param {Page} page @param {string | RegExp} text */
export const toast = (page, text) => page.locator(".toast", { hasText: text }).waitFor();
