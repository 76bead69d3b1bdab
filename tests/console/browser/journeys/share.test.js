import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { analyze, shippedCall } from "../../made/deliver.js";
import { assertFits, key, signIn } from "../browser.js";
import { clock, heard, journey, toast } from "./journey.js";

journey("a speaker gets a name in place, which stands wherever they do", async ({ page, at, press }) => {
  const id = await analyze(await shippedCall(), { externalId: `named-at-${at}` });
  await signIn(page, `/console/jobs/${id}`);
  await press(page.getByRole("button", { name: "Rename Speaker 1" }));
  await page.getByLabel("Name of speaker 1").fill("Dana");
  await page.keyboard.press("Enter");
  await toast(page, "Speaker 1 is now called Dana.");
  await page.getByRole("article", { name: "Dana, 0:06" }).waitFor();
  await press(page.getByRole("tab", { name: "Numbers" }));
  await page.getByRole("tabpanel").getByRole("listitem").filter({ hasText: "Dana" }).getByText("35%").waitFor();
  await assertFits(page);
  await page.reload();
  await page.getByRole("article", { name: "Dana, 0:06" }).waitFor();
});

/** By format: what a file has of the question of the customer, who has a name. */
const FORMATS = /** @type {const} */ ({
  desk: ["SubRip subtitles", "srt", "00:00:21,110 --> 00:00:22,560\nDana: Why was I charged twice?"],
  phone: ["Markdown", "md", "Why was I charged twice?"],
});

journey("a transcript is exported as a file", async ({ page, at, press }) => {
  const externalId = `exported-at-${at}`;
  const id = await analyze(await shippedCall(), { externalId });
  await signIn(page, `/console/jobs/${id}`);
  await press(page.getByRole("button", { name: "Rename Speaker 1" }));
  await page.getByLabel("Name of speaker 1").fill("Dana");
  await page.keyboard.press("Enter");
  await toast(page, "Speaker 1 is now called Dana.");

  const [name, ending, question] = FORMATS[at];
  await press(page.getByRole("button", { name: "Export" }));
  const download = page.waitForEvent("download");
  await press(page.getByRole("menuitem", { name }));
  const file = await download;
  assert.equal(file.suggestedFilename(), `${externalId}.${ending}`);
  const text = await readFile(await file.path(), "utf8");
  assert.ok(text.includes(question) && text.includes("Dana") && text.includes("Thank you, bye."), text);
});

journey(
  "a link to a moment opens there, also for someone who has to sign in first",
  async ({ page, at, press }) => {
    const externalId = `shared-at-${at}`;
    const id = await analyze(await shippedCall(), { externalId });
    await signIn(page, `/console/jobs/${id}`);
    await press(page.getByRole("button", { name: "Play from 0:31" }));
    await clock(page, /^0:3[23]/);
    await press(page.getByRole("button", { name: "Pause" }));
    await press(page.getByRole("button", { name: "Copy link" }));
    await toast(page, /The link to 0:3\d is copied/);
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(link, new RegExp(`/console/jobs/${id}#t=3\\d(\\.\\d)?$`));

    const context = page.context();
    await page.close();
    await context.clearCookies();
    const other = await context.newPage();
    await other.goto(link);
    await other.getByLabel("API key").fill(key);
    await press(other.getByRole("button", { name: "Sign in" }));
    await other.getByRole("heading", { level: 1, name: externalId }).waitFor();
    await clock(other, /^0:3[23]/);
    await heard(other, "Yes, I will send the refund today.");
    await assertFits(other);
  },
  { failures: /status of 401/ },
);
