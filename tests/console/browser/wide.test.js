// Screens of 2560 pixels, and times of any place.
import assert from "node:assert/strict";
import { base, job, scenario, signIn } from "./browser.js";

const WIDE = { viewport: { width: 2560, height: 1440 } };
const PATHS = [
  "/console/jobs",
  `/console/jobs/${job}`,
  "/console/search?q=invoice",
  "/console/conversations",
  "/console/endpoints",
  ...["", "/provider", "/deliveries", "/drift", "/storage", "/callers", "/keys", "/configuration"].map(
    (part) => `/console/operations${part}`,
  ),
];

scenario("no line of a text is longer than 90 characters, and no page is a narrow column", WIDE, async (page) => {
  await signIn(page);
  for (const path of PATHS) {
    await page.goto(base + path);
    await page.locator(".page-header").waitFor();
    await page.locator(".loading").first().waitFor({ state: "detached" });
    const { lines, width } = await page.evaluate(measured);
    assert.deepEqual(lines, [], path);
    assert.ok(width >= 1600, `${path} is ${width} pixels wide`);
  }
});

scenario(
  "numbers and times are those of the reader's place, with UTC on hover",
  { ...WIDE, locale: "de-DE", timezoneId: "Asia/Tokyo" },
  async (page) => {
    await signIn(page);
    for (const path of PATHS) {
      await page.goto(base + path);
      await page.locator(".page-header").waitFor();
      await page.locator(".loading").first().waitFor({ state: "detached" });
      const { withoutUtc, machine } = await page.evaluate(timesOf);
      assert.deepEqual(withoutUtc, [], path);
      assert.deepEqual(machine, [], `${path} shows times as machines write them`);
    }
    await page.goto(`${base}/console/jobs`);
    const time = page.locator("time").first();
    await time.waitFor();
    const at = new Date(String(await time.getAttribute("datetime")));
    const expected = new Intl.DateTimeFormat("de-DE", {
      month: "short",
      day: "numeric",
      hour: "numeric",
      minute: "2-digit",
      timeZone: "Asia/Tokyo",
    });
    assert.equal(await time.textContent(), expected.format(at));
    assert.equal(await time.getAttribute("title"), `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`);
  },
);

/** Lines of text with more than 90 characters, and the width of what the page shows. Code is as long as it is. */
function measured() {
  const most = 90;
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent ?? "";
    const parent = node.parentElement;
    if (text.trim().length <= most || !parent || parent.closest("pre, code, script, .visually-hidden")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const rows = new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
    // The last line is shorter than the others: a text of two lines may have one of 91 characters.
    if (rows > 0 && text.trim().length / rows > most) lines.push(`${rows}: ${text.trim()}`);
  }
  const content = document.querySelector(".page")?.getBoundingClientRect();
  return { lines, width: content?.width ?? 0 };
}

/** Times that have no UTC on hover, and texts such as "2026-05-01T09:30". */
function timesOf() {
  const all = [...document.querySelectorAll("time")];
  const withoutUtc = all
    .filter(({ title }) => !title.endsWith("UTC") && !title.endsWith("UTC)"))
    .map((it) => it.outerHTML);
  const machine = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent ?? "";
    if (/\d{4}-\d\d-\d\d/.test(text) && !node.parentElement?.closest("pre, code, script")) machine.push(text);
  }
  return { withoutUtc, machine };
}
