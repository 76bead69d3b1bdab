// Pictures of every page, with a month of calls. The three in docs/images are made here, too.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aMonth } from "../made/month.js";
import { base, DESKTOP, scenario, signIn } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

const FOLDER = /** @type {string} */ (process.env.SCREENSHOTS);
const IMAGES = /** @type {string} */ (process.env.IMAGES);
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

const month = await aMonth();
await mkdir(FOLDER, { recursive: true });

/** @type {[name: string, path: string, prepare?: (page: Page) => Promise<unknown>][]} */
const PAGES = [
  ["jobs", "/console/jobs"],
  [
    "jobs-selected",
    "/console/jobs?status=failed",
    (page) => page.getByRole("checkbox", { name: "Select " }).last().check(),
  ],
  ["jobs-nothing", "/console/jobs?tag=no-such-tag"],
  ["jobs-columns", "/console/jobs", (page) => page.getByRole("button", { name: "Columns" }).click()],
  ["jobs-new", "/console/jobs", (page) => page.getByRole("button", { name: "New job" }).click()],
  [
    "jobs-name-speakers",
    "/console/jobs",
    async (page) => {
      await page.getByRole("checkbox", { name: "Select " }).last().check();
      await page.getByRole("button", { name: "Name speakers" }).click();
    },
  ],
  ["call", `/console/jobs/${month.call}`, aMoment],
  ["call-insights", `/console/jobs/${month.call}`, (page) => page.getByRole("tab", { name: "Insights" }).click()],
  ["call-numbers", `/console/jobs/${month.call}`, (page) => page.getByRole("tab", { name: "Numbers" }).click()],
  ["call-history", `/console/jobs/${month.call}`, (page) => page.getByRole("tab", { name: "History" }).click()],
  ["call-export", `/console/jobs/${month.call}`, (page) => page.getByRole("button", { name: "Export" }).click()],
  ["call-failed", `/console/jobs/${month.failed}`],
  ["call-submitted", `/console/jobs/${month.submitted}`],
  ["call-queued", `/console/jobs/${month.queued}`],
  ["search", "/console/search"],
  ["search-refund", "/console/search?q=refund+or+cancel"],
  ["conversations", "/console/conversations"],
  ["conversations-by-tag", "/console/conversations?split=tag&days=90"],
  ["endpoints", "/console/endpoints"],
  ["endpoint", "/console/endpoints", (page) => page.getByRole("table").getByRole("link").first().click()],
  ["operations", "/console/operations"],
  ["operations-provider", "/console/operations/provider"],
  ["operations-deliveries", "/console/operations/deliveries"],
  [
    "operations-delivery",
    "/console/operations/deliveries?quarantined=true",
    async (page) => {
      await page.getByRole("table").getByRole("link").first().click();
      await page.getByRole("button", { name: "Show the body" }).click();
    },
  ],
  ["operations-drift", "/console/operations/drift"],
  ["operations-storage", "/console/operations/storage"],
  ["operations-callers", "/console/operations/callers"],
  ["operations-keys", "/console/operations/keys"],
  ["operations-configuration", "/console/operations/configuration"],
  ["keys", "/console/jobs", (page) => page.keyboard.press("?")],
];

/** The middle of the call, with words that were looked for. @param {Page} page */
async function aMoment(page) {
  await page.getByRole("textbox", { name: "Find in this call" }).fill("invoice");
  await page.getByText("1 of 4").waitFor();
  await page.evaluate(() => {
    window.location.hash = "#t=9.7";
  });
}

/** Opens a page, and waits until all of it is there. @param {Page} page @param {string} path @param {(page: Page) => Promise<unknown>} [prepare] */
async function open(page, path, prepare) {
  await page.goto(`${base}${path}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await settled(page);
  await prepare?.(page);
  await settled(page);
}

/** @param {Page} page */
const settled = (page) =>
  page.waitForFunction(() => !document.querySelector(".loading, main [aria-busy=true], .is-loading"));

for (const [look, options] of /** @type {const} */ ([
  ["light", { ...DESKTOP, colorScheme: "light" }],
  ["dark", { ...DESKTOP, colorScheme: "dark" }],
  ["phone", { ...PHONE, colorScheme: "light" }],
])) {
  scenario(
    `pictures (${look})`,
    { ...options, reducedMotion: "reduce" },
    async (page) => {
      await page.goto(`${base}/console/sign-in`);
      await page.getByLabel("API key").waitFor();
      await page.screenshot({ path: join(FOLDER, `sign-in-${look}.png`) });
      await signIn(page);
      for (const [name, path, prepare] of PAGES) {
        await open(page, path, prepare);
        // What lies over a page is where the window is.
        const fullPage = (await page.locator("dialog[open], :popover-open").count()) === 0;
        await page.screenshot({ path: join(FOLDER, `${name}-${look}.png`), fullPage });
      }
    },
    { failures: /status of 401/ },
  );
}

scenario(
  "pictures of the documentation",
  { ...DESKTOP, deviceScaleFactor: 1.5, reducedMotion: "reduce" },
  async (page) => {
    await signIn(page);
    for (const [name, path, prepare] of PAGES) {
      if (!["call", "jobs", "operations"].includes(name)) continue;
      await open(page, path, prepare);
      await writeFile(join(IMAGES, `${name}.webp`), await webp(page, await page.screenshot()));
    }
  },
);

/** A smaller form of a picture, made by the browser. @param {Page} page @param {Buffer} png */
async function webp(page, png) {
  const text = await page.evaluate(async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d")?.drawImage(image, 0, 0);
    const smaller = await canvas.convertToBlob({ type: "image/webp", quality: 0.75 });
    return btoa(Array.from(new Uint8Array(await smaller.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));
  }, png.toString("base64"));
  return Buffer.from(text, "base64");
}
