import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after } from "node:test";
import { recordingOf } from "../../made/calls.js";
import { ask } from "../../made/deliver.js";
import { assertFits, signIn } from "../browser.js";
import { end } from "../service.js";
import { journey, toast } from "./journey.js";

/** More than a page of the list. */
const COUNT = 52;

// Much shorter than the shipped recording, so that many are analyzed in seconds.
const recording = recordingOf([{ start: 0.1, end: 1, speakerId: "0" }], 1);
const server = createServer(({ url }, response) => {
  if (url?.startsWith("/short.wav")) response.end(recording);
  else response.writeHead(404).end();
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
after(() => end(server));
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

journey("all jobs that failed are retried at once, and complete under one's eyes", async ({ page, at, press }) => {
  const tag = `outage-at-${at}`;
  const submissions = Array.from({ length: COUNT }, (_, index) => ({
    // The first attempt fails, the second does not.
    contentUri: `http://127.0.0.1:${port}/short.wav?n=${index}-${at}&sandbox-faults=fail;`,
    encoding: "Wav",
    externalId: `${tag}-${index}`,
    tags: [tag],
  }));
  await Promise.all(submissions.map((body) => ask("POST", "/v1/jobs", body)));

  await signIn(page);
  await page.getByRole("combobox", { name: "Add a filter" }).fill(`tag: ${tag}`);
  await page.keyboard.press("Enter");
  const failed = page.getByRole("button", { name: /^Failed/ });
  await failed.getByText(String(COUNT), { exact: true }).waitFor({ timeout: 60_000 });
  await press(failed);
  await page.waitForURL(/status=failed/);

  await press(page.getByRole("checkbox", { name: at === "desk" ? "Select all rows" : `Select ${tag}-` }).first());
  const bar = page.getByRole("region", { name: "Selected jobs" });
  await press(bar.getByRole("button", { name: `Select all ${COUNT} jobs that match` }));
  await bar.getByText(`All ${COUNT} jobs that match are selected`).waitFor();
  await assertFits(page);
  await press(bar.getByRole("button", { name: "Retry" }));
  const dialog = page.getByRole("dialog", { name: `Retry ${COUNT} jobs?` });
  await dialog.getByText("paid for again").waitFor();
  await press(dialog.getByRole("button", { name: `Retry ${COUNT} jobs` }));
  await toast(page, `${COUNT} jobs were queued again.`);
  await bar.waitFor({ state: "detached" });

  const completed = page.getByRole("button", { name: /^Completed/ });
  await completed.getByText(String(COUNT), { exact: true }).waitFor({ timeout: 60_000 });
  await failed.getByText("0", { exact: true }).waitFor();
  await press(completed);
  await page
    .getByRole("row", { name: `${tag}-` })
    .first()
    .getByText("Completed")
    .waitFor();
  assert.equal(await page.locator(".badge", { hasText: "Failed" }).count(), 0);
});
