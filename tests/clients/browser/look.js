// Reads the documentation as a newcomer would: everything is there, comes from this server, and can be tried out.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const api = process.env.AFTERCALL_API;
const document = await (await fetch(`${api}/openapi.json`)).json();
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
  const complaints = [];
  const elsewhere = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  // Violations of the page's policy are also reported to the page, even where the console shows nothing.
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", (event) =>
      globalThis.violations.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sourceFile}`),
    );
  });
  const violations = () => page.evaluate(() => globalThis.violations);
  page.on("request", (request) => {
    if (!request.url().startsWith(api) && !request.url().startsWith("data:")) elsewhere.push(request.url());
  });
  const answer = await page.goto(`${api}/docs/`);
  assert.match(answer.headers()["content-security-policy"], /default-src 'none'/);
  await page.waitForSelector(".opblock");

  assert.equal(await page.locator(".info .title").innerText().then((text) => text.split("\n")[0].trim()), "Aftercall");
  const listed = await page.locator(".opblock").evaluateAll((blocks) =>
    blocks.map((block) => ({
      method: block.querySelector(".opblock-summary-method").textContent,
      path: block.querySelector(".opblock-summary-path").textContent.replaceAll("\u200b", ""),
      summary: block.querySelector(".opblock-summary-description").textContent,
    })),
  );
  const told = (operation) => `${operation.method} ${operation.path} ${operation.summary}`;
  assert.deepEqual(new Set(listed.map(told)), new Set(operations.map(told)));
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });

  // With a key, the list of jobs can be requested on the page itself.
  await page.locator(".auth-wrapper .authorize").first().click();
  await page.locator("#auth-bearer-value").fill(process.env.AFTERCALL_KEY);
  await page.locator(".auth-btn-wrapper .authorize").first().click();
  await page.locator(".auth-btn-wrapper .btn-done").first().click();
  const list = page.locator("#operations-jobs-listJobs");
  await list.locator(".opblock-summary").click();
  await list.locator(".execute").click();
  const status = list.locator(".live-responses-table .response-col_status").nth(1);
  await status.waitFor();
  assert.match(await status.innerText(), /^200/);
  assert.ok((await list.locator(".live-responses-table").innerText()).includes(process.env.AFTERCALL_JOB));
  // Problems are explained where they are listed.
  assert.ok((await list.locator(".responses-wrapper").innerText()).includes("cursor-mismatch"));
  if (process.env.SCREENSHOT) await list.screenshot({ path: process.env.SCREENSHOT.replace(".png", "-list.png") });

  // The key is not stored in the browser, so it is gone after a reload.
  const kept = () => page.evaluate(() => [...Object.entries(localStorage), ...Object.entries(sessionStorage)]);
  assert.deepEqual(await kept(), []);
  assert.deepEqual(await page.context().cookies(), []);
  assert.deepEqual(await violations(), [], complaints.join("\n"));
  await page.reload();
  await page.waitForSelector(".auth-wrapper .authorize.unlocked");
  assert.deepEqual(await kept(), []);

  // Each code is an anchor: the `type` of a problem links to its explanation.
  await page.goto(`${api}/docs/errors#validation-failed`);
  assert.equal(await page.locator(":target").innerText(), "validation-failed");
  assert.notEqual(await page.locator(":target").evaluate((it) => getComputedStyle(it).backgroundColor), "rgba(0, 0, 0, 0)");
  assert.deepEqual(await violations(), []);

  assert.deepEqual(complaints, []);
  assert.deepEqual(elsewhere, []);
  console.log(`${operations.length} operations, all listed; a list of jobs asked for on the page`);
} finally {
  await browser.close();
}
