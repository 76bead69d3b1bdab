// Statistics of conversations, and what a click on them does.
import assert from "node:assert/strict";
import { DESKTOP, scenario, signIn } from "./browser.js";
import { ask, callerOf, ended, submit } from "./service.js";

/** @typedef {import("./browser.js").Page} Page */

const key = await callerOf("talkers");
const calls = [
  { tags: ["red"], languageCode: "en-US", audioType: "CallCenter" },
  { tags: ["red"], languageCode: "en-GB", audioType: "Meeting" },
  { tags: ["blue"], languageCode: "en-GB", audioType: "Meeting" },
];
for (const id of await submit(key, calls)) await ended(key, id);

/** Until the number of conversations is this one. @param {Page} page @param {number} count */
const counts = (page, count) =>
  page.locator(".figure", { hasText: "Conversations" }).getByText(String(count), { exact: true }).waitFor();
/** @param {Page} page @param {string} name */
const parameter = (page, name) => new URL(page.url()).searchParams.get(name);

scenario("a tag, a language and a type are chosen in the bars, and shown as chips", DESKTOP, async (page) => {
  await signIn(page, "/console/conversations", key);
  await counts(page, 3);
  for (const [name, value, expected] of /** @type {const} */ ([
    ["tag", "red", 2],
    ["language", "en-GB", 1],
    ["audioType", "Meeting", 1],
  ])) {
    await page.getByRole("button", { name: value, exact: true }).click();
    await counts(page, expected);
    assert.equal(parameter(page, name), value);
    await page
      .getByRole("button", { name: `Remove filter ${name === "audioType" ? "type" : name} ${value}` })
      .waitFor();
  }
  await page.getByRole("link", { name: "Show these jobs" }).click();
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  await page.locator(".job-link").first().waitFor();
  assert.equal(await page.locator(".job-link").count(), 1);
  await page.goBack();
  await page.getByRole("button", { name: "Clear all" }).click();
  await counts(page, 3);
});

scenario(
  "charts have a line for each tag, by day or week, and a day is chosen in them by keys",
  DESKTOP,
  async (page) => {
    await signIn(page, "/console/conversations", key);
    await counts(page, 3);
    await page.getByLabel("Lines").selectOption("tag");
    const chart = page.locator(".chart", { hasText: "Conversations" }).first();
    await chart.getByText("red", { exact: true }).first().waitFor();
    await chart.getByText("blue", { exact: true }).first().waitFor();
    await page.getByRole("button", { name: "Week", exact: true }).click();
    await page.getByRole("group", { name: /^Conversations, chart of \d weeks/ }).waitFor();
    await page.getByRole("button", { name: "Day", exact: true }).click();
    const days = page.getByRole("group", { name: "Conversations, chart of 30 days" });
    await days.focus();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.getByRole("group", { name: "Conversations, chart of 1 days" }).waitFor();
    assert.ok(parameter(page, "from"));
    await counts(page, 3);
    await chart.getByText("Numbers").click();
    // As the reader's locale writes days.
    const today = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeZone: "UTC" }).format(new Date());
    await chart.getByRole("rowheader", { name: today }).waitFor();
  },
);

scenario("an emotion is shown alone, and days without conversations say so", DESKTOP, async (page) => {
  await signIn(page, "/console/conversations", key);
  await page.getByRole("button", { name: /^Anger/ }).click();
  await page.getByRole("link", { name: "Show the jobs with Anger" }).waitFor();
  await page.getByRole("button", { name: "The days before" }).click();
  await page.getByText("No conversation ended in these days").waitFor();
  await page.getByRole("button", { name: "Show 12 months" }).click();
  await counts(page, 3);
  const { data } = await ask("GET", "/v1/stats/jobs?measures=jobs", undefined, key);
  assert.equal(data[0].measures.jobs, 3);
});
