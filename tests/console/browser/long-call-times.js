// Prints how fast a call of three hours with 12,000 utterances opens, scrolls and is searched, as the browser measures it.
// `tests/console/long-call` runs it.
import { longCall, recordingOf } from "../made/calls.js";
import { attachSound, deliver } from "../made/deliver.js";
import { base, DESKTOP, PHONE, scenario, signIn } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

const OPENINGS = 7;

const result = longCall();
const id = await deliver(result, { externalId: "three hours" });
await attachSound(id, recordingOf(result.utteranceInsights, 2));

/** @param {number[]} values @param {number} share */
const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)];
/** @param {number[]} values */
const spread = (values) =>
  `median ${quantile(values, 0.5).toFixed(0)} ms, from ${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;

/**
 * Milliseconds from the start of the navigation until utterances and controls are drawn and the page reacts, and when
 * each response had arrived.
 * @param {Page} page
 */
async function opened(page) {
  await page.goto(`${base}/console/jobs/${id}`, { waitUntil: "commit" });
  return page.evaluate(async () => {
    const isThere = () => document.querySelector(".turn") && document.querySelector(".find input, .play");
    while (!isThere()) await new Promise(requestAnimationFrame);
    // The next task after the frame that shows it.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const at = performance.now();
    const entries = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType("resource"));
    const requests = entries.filter(
      ({ name, responseEnd }) => /\/v1\/|\/session|call\.js/.test(name) && responseEnd > 0,
    );
    return {
      at,
      requests: requests.map(({ name, startTime, responseEnd }) => ({
        path: new URL(name).pathname,
        from: startTime,
        to: responseEnd,
      })),
    };
  });
}

/** Lengths of frames while the page is scrolled to its end, a screen and a half in each. @param {Page} page */
const scrolled = (page) =>
  page.evaluate(async () => {
    /** @type {number[]} */
    const frames = [];
    let last = await new Promise(requestAnimationFrame);
    const isAtEnd = () => window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 2;
    while (!isAtEnd()) {
      window.scrollBy(0, window.innerHeight * 1.5);
      const now = await new Promise(requestAnimationFrame);
      frames.push(now - last);
      last = now;
    }
    return frames;
  });

/** Milliseconds from the input of words until the hit is drawn. @param {Page} page @param {string} words */
const found = (page, words) =>
  page.evaluate(async (words) => {
    const input = /** @type {HTMLInputElement} */ (document.querySelector(".find input"));
    const start = performance.now();
    input.value = words;
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    while (!document.querySelector("mark.is-selected")) await new Promise(requestAnimationFrame);
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    return performance.now() - start;
  }, words);

for (const [screen, options] of /** @type {const} */ ([
  ["desktop", DESKTOP],
  ["phone", PHONE],
])) {
  scenario(`times (${screen})`, options, async (page) => {
    await signIn(page);
    const browser = /** @type {import("playwright-core").Browser} */ (page.context().browser());
    const storageState = await page.context().storageState();
    /** @type {number[]} */
    const first = [];
    for (let i = 0; i < OPENINGS; i++) {
      const context = await browser.newContext({ ...options, storageState });
      const { at, requests } = await opened(await context.newPage());
      first.push(at);
      if (i === OPENINGS - 1) {
        for (const { path, from, to } of requests)
          console.log(`    ${from.toFixed(0)} to ${to.toFixed(0)} ms: ${path.slice(-60)}`);
      }
      await context.close();
    }
    console.log(`${screen}: opens in ${spread(first)} (nothing in the browser's cache)`);
    /** @type {number[]} */
    const again = [];
    for (let i = 0; i < OPENINGS; i++) again.push((await opened(page)).at);
    console.log(`${screen}: opens in ${spread(again)} (files in the browser's cache)`);

    const words = ["lighthouse", "the", "nobody told us"];
    for (const word of words) {
      await opened(page);
      console.log(`${screen}: finds “${word}” in ${(await found(page, word)).toFixed(0)} ms`);
    }
    await opened(page);
    const frames = await scrolled(page);
    const late = frames.filter((length) => length > 25).length;
    console.log(
      `${screen}: scrolls to the end in ${frames.length} frames, ${spread(frames)}, 99 of 100 within ` +
        `${quantile(frames, 0.99).toFixed(1)} ms, ${late} late (${(1000 / (frames.reduce((a, b) => a + b) / frames.length)).toFixed(1)} frames a second)`,
    );
  });
}
