// The list of jobs: filters, columns, order, pages, and what changes under the reader's eyes.
import assert from "node:assert/strict";
import { DESKTOP, scenario, signIn } from "./browser.js";
import { ask, callerOf, ended, submit } from "./service.js";

/** @typedef {import("./browser.js").Page} Page */

/** A caller with jobs, of which some cannot be submitted: its quota is used up. */
const key = await callerOf("jobs-page");
const calls = [
  { externalId: "red-1", tags: ["red"], languageCode: "en-US", audioType: "CallCenter" },
  { externalId: "blue-1", tags: ["blue"] },
  { externalId: "blue-2", tags: ["blue", "blue-green"] },
];
const ids = await submit(key, calls);
for (const id of ids) await ended(key, id);
await ask("PATCH", "/v1/admin/callers/jobs-page", { dailyQuota: 3 });

/** @param {Page} page */
const names = (page) => page.locator(".job-link").allInnerTexts();

/** Adds a filter as a reader does: types the beginning, and takes a suggestion. @param {Page} page @param {string} typed @param {string} suggestion */
async function filter(page, typed, suggestion) {
  const input = page.getByRole("combobox", { name: "Add a filter" });
  await input.click();
  await input.fill(typed);
  await page.getByRole("option", { name: suggestion }).first().click();
}

/** @param {Page} page @param {string[]} expected */
async function shows(page, expected) {
  await page.waitForFunction(
    (all) => JSON.stringify([...document.querySelectorAll(".job-link")].map((it) => it.textContent?.trim())) === all,
    JSON.stringify(expected),
  );
}

scenario("filters are suggested, shown as chips, and taken away again", DESKTOP, async (page) => {
  await signIn(page, "/console/jobs", key);
  await shows(page, ["blue-2", "blue-1", "red-1"]);
  await page.getByRole("combobox", { name: "Add a filter" }).click();
  const fields = await page.getByRole("option").allInnerTexts();
  for (const field of ["state", "tag", "external id", "emotion", "insight", "created after"]) {
    assert.ok(fields.includes(`${field}…`), `${field} in ${fields}`);
  }
  await filter(page, "tag: bl", "blue-green");
  await shows(page, ["blue-2"]);
  await page.getByRole("button", { name: "Remove filter tag blue-green" }).click();
  await filter(page, "external id: re", "red-1");
  await shows(page, ["red-1"]);
  await page.keyboard.press("Backspace");
  await shows(page, ["blue-2", "blue-1", "red-1"]);
  await filter(page, "emotion: A", "Anger");
  await filter(page, "insight: Qu", "Qu");
  await filter(page, "created after", "created after");
  await page.getByRole("option", { name: "7 days ago" }).click();
  assert.deepEqual([...new URL(page.url()).searchParams.keys()], ["hasEmotion", "hasInsight", "createdAfter"]);
  await page.getByRole("button", { name: "Clear all" }).click();
  assert.equal(new URL(page.url()).search, "");
});

scenario("columns are chosen, and remembered; the order turns around", DESKTOP, async (page) => {
  await signIn(page, "/console/jobs", key);
  await shows(page, ["blue-2", "blue-1", "red-1"]);
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("checkbox", { name: "Language" }).check();
  await page.getByRole("checkbox", { name: "Tags" }).uncheck();
  await page.getByRole("button", { name: "Done" }).click();
  await page.reload();
  await page.getByRole("columnheader", { name: "Language" }).waitFor();
  await page.getByRole("cell", { name: "en-US" }).first().waitFor();
  assert.equal(await page.getByRole("columnheader", { name: "Tags" }).count(), 0);
  await page.getByRole("columnheader", { name: "Created" }).getByRole("button").click();
  await shows(page, ["red-1", "blue-1", "blue-2"]);
  await page.getByRole("combobox", { name: "Order" }).selectOption("Newest first");
  await shows(page, ["blue-2", "blue-1", "red-1"]);
});

scenario(
  "new jobs wait above, with their places in the queue, and pages stay what they were",
  DESKTOP,
  async (page) => {
    await signIn(page, "/console/jobs", key);
    await shows(page, ["blue-2", "blue-1", "red-1"]);
    // More than a page, which stay in the queue.
    await submit(
      key,
      Array.from({ length: 60 }, (_, at) => ({ externalId: `many-${at + 1}`, tags: ["many"] })),
    );
    await page.getByRole("button", { name: "60 new jobs" }).waitFor();
    assert.deepEqual(await names(page), ["blue-2", "blue-1", "red-1"], "nothing moves under the reader");
    await page.getByRole("button", { name: "60 new jobs" }).click();
    await page.getByRole("link", { name: "many-60" }).waitFor();
    await page.getByText("Position 60,").waitFor();
    await page.getByText("the quota is used up").first().waitFor();
    await page.getByRole("button", { name: "Queued 60" }).waitFor();

    await page.getByRole("button", { name: "Next page" }).click();
    await page.getByRole("link", { name: "red-1" }).waitFor();
    const second = await names(page);
    assert.equal(second.length, 13);
    // A job that comes now stands on no other page than the first.
    await submit(key, [{ externalId: "late", tags: ["many"] }]);
    await page.getByRole("button", { name: "Queued 61" }).waitFor();
    await page.reload();
    await page.getByRole("link", { name: "red-1" }).waitFor();
    assert.deepEqual(await names(page), second);
    await page.getByRole("button", { name: "First page" }).click();
    await page.getByRole("link", { name: "late" }).waitFor();
  },
);

scenario("all that match are selected, whatever the page, and canceled, named and exported", DESKTOP, async (page) => {
  await submit(
    key,
    Array.from({ length: 55 }, (_, at) => ({ externalId: `bulk-${at + 1}`, tags: ["bulk"] })),
  );
  await signIn(page, "/console/jobs?tag=bulk", key);
  await page.getByRole("link", { name: "bulk-55" }).waitFor();
  await page.getByRole("checkbox", { name: "Select all rows" }).check();
  await page.getByText("50 jobs selected").waitFor();
  await page.getByRole("button", { name: "Select all 55 jobs that match" }).click();
  await page.getByText("All 55 jobs that match are selected").waitFor();

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export", exact: true }).click();
  await page.getByRole("menuitem", { name: "Jobs" }).click();
  await page.getByRole("button", { name: "Export 55 jobs" }).click();
  const lines = await textOf(await download);
  assert.equal(lines.trim().split("\n").length, 55);

  await page.getByRole("button", { name: "Name speakers" }).click();
  await page.getByLabel("Name", { exact: true }).first().fill("Agent");
  await page.getByRole("button", { name: "Continue" }).click();
  // None of them has a result yet, and that is said before anything is done.
  await page.getByText("No selected job can be given names.").waitFor();

  await page.getByRole("button", { name: "Cancel jobs" }).click();
  await page.getByRole("heading", { name: "Cancel 55 jobs?" }).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel 55 jobs" }).click();
  await page.getByText("55 jobs were canceled.").waitFor();
  await page.getByRole("button", { name: "Canceled 55" }).waitFor();
  const { data } = await ask("GET", "/v1/jobs/counts?tag=bulk", undefined, key);
  assert.equal(data.canceled, 55);
});

/** @param {import("playwright-core").Download} download */
async function textOf(download) {
  let text = "";
  for await (const part of await download.createReadStream()) text += part;
  return text;
}
