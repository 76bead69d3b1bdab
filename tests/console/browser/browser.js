// Scenarios in Chromium, against a live service. Each fails if anything goes wrong that the reader is not told.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { chromium } from "playwright-core";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContextOptions} Options */

export const base = /** @type {string} */ (process.env.AFTERCALL_API);
export const key = /** @type {string} */ (process.env.AFTERCALL_KEY);
/** A completed job. */
export const job = /** @type {string} */ (process.env.AFTERCALL_JOB);

/** @type {Options} */
export const DESKTOP = { viewport: { width: 1280, height: 800 } };
/** @type {Options} */
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
after(() => browser.close());

/**
 * A test with a page of its own. Besides what `run` asserts, there must be no request to another origin, no message of
 * an error in the browser's console, no exception, and no violation of the content security policy.
 * @param {string} name
 * @param {Options} options
 * @param {(page: Page) => Promise<void>} run
 * @param {{ failures?: RegExp }} [expected] `failures`: what the browser may say about requests that are meant to fail
 */
export function scenario(name, options, run, { failures } = {}) {
  test(name, { timeout: 120_000 }, async () => {
    const context = await browser.newContext({ locale: "en-US", timezoneId: "Europe/Berlin", ...options });
    context.setDefaultTimeout(15_000);
    /** @type {string[]} */
    const faults = [];
    await context.exposeBinding("violated", (_source, text) => faults.push(text));
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sourceFile }) =>
        /** @type {any} */ (globalThis).violated(`${effectiveDirective} forbids ${blockedURI} in ${sourceFile}`),
      );
    });
    context.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${base}/`) && !url.startsWith(`blob:${base}/`)) faults.push(`request to ${url}`);
    });
    context.on("console", (message) => {
      const isExpected = failures?.test(message.text()) && message.text().startsWith("Failed to load resource");
      if (message.type() === "error" && !isExpected) faults.push(`${message.text()} (${message.location().url})`);
    });
    context.on("weberror", (error) => faults.push(String(error.error().stack)));
    try {
      const page = await context.newPage();
      await run(page);
      assert.deepEqual(faults, []);
    } finally {
      await context.close();
    }
  });
}

/** Signs in as a reader would. @param {Page} page @param {string} [path] @param {string} [withKey] */
export async function signIn(page, path = "/console/", withKey = key) {
  await page.goto(`${base}/console/sign-in`);
  await page.getByLabel("API key").fill(withKey);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  if (path !== "/console/") await page.goto(`${base}${path}`);
}

/** A new key. @param {{ name: string, caller: string, scopes: string[] }} body @returns {Promise<{ id: string, key: string }>} */
export async function newKey(body) {
  const response = await fetch(`${base}/v1/admin/keys`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 201, await response.clone().text());
  return /** @type {any} */ (await response.json());
}

/** @param {string} id */
export async function revoke(id) {
  const headers = { Authorization: `Bearer ${key}` };
  const response = await fetch(`${base}/v1/admin/keys/${id}`, { method: "DELETE", headers });
  assert.ok(response.ok, await response.text());
}

/** Fails if people with disabilities would have serious trouble with what is shown. @param {Page} page */
export async function assertAccessible(page) {
  // Through the debugger, as the page's policy forbids scripts from elsewhere.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run({
      resultTypes: ["violations"],
    });
    return violations
      .filter((/** @type {any} */ { impact }) => impact === "serious" || impact === "critical")
      .map((/** @type {any} */ { id, help, nodes }) => ({
        id,
        help,
        nodes: nodes.slice(0, 3).map((/** @type {any} */ node) => `${node.html.slice(0, 200)} ${node.failureSummary}`),
      }));
  });
  assert.deepEqual(found, []);
}

/** Fails if the page is wider than the screen, and names what is. @param {Page} page */
export async function assertFits(page) {
  const { width } = /** @type {{ width: number }} */ (page.viewportSize());
  const tooWide = await page.evaluate((width) => {
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("body *")]
      .filter((element) => element.getBoundingClientRect().right > width + 1)
      .map((element) => `${element.tagName} ${element.getAttribute("class") ?? ""}`);
  }, width);
  assert.deepEqual(tooWide.slice(0, 12), [], `wider than ${width} pixels: ${page.url()}`);
}
