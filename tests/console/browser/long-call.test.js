// A call of three hours with 12,000 utterances. `long-call-times.js` measures how fast it is; here, it works at all.
import assert from "node:assert/strict";
import { longCall } from "../made/calls.js";
import { deliver } from "../made/deliver.js";
import { base, DESKTOP, newKey, PHONE, scenario, signIn } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

const result = longCall();
const { key } = await newKey({
  name: "long",
  caller: "long",
  scopes: ["jobs:write", "jobs:read", "transcript:read"],
});
const id = await deliver(result, { externalId: "three hours" }, key);

/** Of all turns, rows exist for those near what is visible. */
const MOST_ROWS = 60;

/** @param {Page} page */
async function assertFewRows(page) {
  const rows = await page.locator("[data-row]").count();
  assert.ok(rows > 0 && rows <= MOST_ROWS, `${rows} rows`);
}

/** Fails unless the reader sees this. @param {Page} page @param {import("playwright-core").Locator} locator */
async function assertInView(page, locator) {
  const box = await locator.boundingBox();
  const { height } = /** @type {{ height: number }} */ (page.viewportSize());
  assert.ok(box && box.y >= 0 && box.y + box.height <= height, `${JSON.stringify(box)} is not within ${height}`);
}

for (const [screen, options] of /** @type {const} */ ([
  ["desktop", DESKTOP],
  ["phone", PHONE],
])) {
  scenario(`a call of three hours is read to its end, of which few rows exist (${screen})`, options, async (page) => {
    await signIn(page, `/console/jobs/${id}`, key);
    const feed = page.getByRole("feed", { name: "What was said" });
    await feed.getByText(result.utteranceInsights[0].text).first().waitFor();
    await assertFewRows(page);
    const turns = Number(await page.locator("[data-row]").first().getAttribute("aria-setsize"));
    assert.ok(turns > 3000, `${turns} turns`);

    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    for (const part of [0.2, 0.4, 0.6, 0.8]) {
      await page.evaluate((top) => window.scrollTo(0, top), height * part);
      // The rows of this part are there once one of them is in the middle of the screen.
      await page.waitForFunction(() =>
        document
          .elementsFromPoint(window.innerWidth / 4, window.innerHeight * 0.7)
          .some((it) => it.matches("[data-row]")),
      );
      await assertFewRows(page);
    }
    // As readers do who see that it goes on: rows may turn out higher than they were taken to be.
    await page.waitForFunction((row) => {
      window.scrollTo(0, document.documentElement.scrollHeight);
      const element = document.querySelector(`[data-row="${row}"]`);
      return element !== null && element.getBoundingClientRect().bottom <= window.innerHeight;
    }, turns - 1);
    const last = page.locator(`[data-row="${turns - 1}"]`);
    await assertInView(page, last.getByText(result.utteranceInsights[11_999].text).last());
    await assertFewRows(page);
  });

  scenario(`what is said near the end of a call of three hours is found (${screen})`, options, async (page) => {
    await signIn(page, "/console/", key);
    await page.goto(`${base}/console/jobs/${id}`);
    const find = page.getByRole("textbox", { name: "Find in this call" });
    await find.fill("the LIGHTHOUSE is");
    await page.getByText("1 of 1", { exact: true }).waitFor();
    const mark = page.locator("mark.is-selected");
    await mark.waitFor();
    assert.equal(await mark.textContent(), "The lighthouse is");
    await assertInView(page, mark);
    await assertFewRows(page);
    await find.fill("nobody says this");
    await page.getByText("Not found").waitFor();
    assert.equal(await mark.count(), 0);
  });
}
