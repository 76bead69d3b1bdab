// What a reader sees of texts that others wrote.
import assert from "node:assert/strict";

/** @typedef {import("playwright-core").Page} Page */

/** As browsers show white space. @param {string} text */
const spaced = (text) => text.replace(/[\s\u200b]+/g, " ").trim();

/** The texts of a page and of its fields, of all parts of it that appear while one scrolls through it. @param {Page} page */
export async function readAll(page) {
  const seen = await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    /** @type {string[]} */
    const seen = [];
    for (let top = 0; ; top += window.innerHeight / 2) {
      window.scrollTo(0, top);
      // The browser tells of the movement in the next frame; what it brings is there in the one after it.
      await frame();
      await frame();
      const fields = [...document.querySelectorAll("input, textarea")].map((field) => /** @type {any} */ (field).value);
      // biome-ignore lint/performance/useDomNodeTextContent: texts that are not laid out are not read.
      seen.push(document.body.innerText, ...fields);
      if (window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 1) break;
    }
    window.scrollTo(0, 0);
    return seen;
  });
  return seen.map(spaced);
}

/** Fails unless the reader reads these texts as they are. @param {Page} page @param {readonly string[]} texts */
export async function assertRead(page, texts) {
  const seen = await readAll(page);
  const missing = texts.filter((text) => !seen.some((read) => read.includes(spaced(text))));
  assert.deepEqual(missing, [], `not shown as given on ${page.url()}`);
}

/** Fails if a text has become part of the page. @param {Page} page */
export async function assertInert(page) {
  const made = await page.evaluate(() => {
    // The console makes none of these.
    const foreign = "img, b, style, iframe, object, embed, base, form[action], script:not([src^='/console/assets/'])";
    return [...document.querySelectorAll(foreign)].map((element) => element.outerHTML.slice(0, 200));
  });
  assert.deepEqual(made, [], `elements of others on ${page.url()}`);
  const title = await page.title();
  assert.ok(title.endsWith(" · Aftercall"), title);
}

/**
 * Fails if the direction of a text could change what is around it: each text with right-to-left letters or controls has
 * a box or an isolate of its own, in which nothing follows it, and before it only words that keep the box left-to-right.
 * @param {Page} page
 * @param {readonly string[]} texts as they are shown; those that have others as parts first
 */
export async function assertIsolated(page, texts) {
  const mixed = await page.evaluate((texts) => {
    const DIRECTED = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
    const ISOLATES = /[\u2066-\u2069]/;
    /** @param {Element} element @param {string} text */
    const isPartOfLine = (element, text) => {
      const { display, unicodeBidi } = getComputedStyle(element);
      if (display !== "inline" && display !== "contents") return false;
      // Of what is within a line, such controls leave any isolate.
      return ISOLATES.test(text) || !/isolate|plaintext/.test(unicodeBidi);
    };
    /** @type {Set<Element>} */
    const boxes = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const text = node.nodeValue ?? "";
      if (!DIRECTED.test(text)) continue;
      let box = node.parentElement;
      while (box && isPartOfLine(box, text)) box = box.parentElement;
      if (box?.checkVisibility()) boxes.add(box);
    }
    /** @param {Element} box */
    const isMixed = (box) => {
      let rest = box.textContent ?? "";
      for (const text of texts) rest = rest.replaceAll(text, "\0");
      const [before, ...after] = rest.split("\0");
      const isAfterWords = before.trim() === "" || /^\s*\p{Script=Latin}/u.test(before);
      return after.length !== 1 || after[0].trim() !== "" || !isAfterWords;
    };
    return [...boxes]
      .filter(isMixed)
      .map((box) => `${box.outerHTML.slice(0, 100)} … ${box.textContent?.slice(0, 200)}`);
  }, texts);
  assert.deepEqual(mixed, [], `mixed with other texts on ${page.url()}`);
}
