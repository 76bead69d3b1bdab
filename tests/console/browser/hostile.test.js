import assert from "node:assert/strict";
import { after } from "node:test";
import { HOSTILE } from "../made/calls.js";
import { assertFits, base, DESKTOP, PHONE, scenario, signIn } from "./browser.js";
import {
  BODY,
  ERRORS,
  EXTERNAL_IDS,
  hostileWorld,
  METADATA,
  NAMES,
  RESPONSE,
  SPEAKERS,
  stored,
  TAGS,
  USER_AGENT,
} from "./hostile-world.js";
import { assertInert, assertIsolated, assertRead } from "./text.js";

/** @typedef {import("playwright-core").Page} Page */

const world = await hostileWorld();
after(world.close);

const SAID = HOSTILE.map(stored);

/** As bodies and responses are shown: nothing in them is hidden. @param {string} text */
const visible = (text) =>
  text
    .replaceAll("\0", "␀")
    .replaceAll("\u0007", "␇")
    .replaceAll("\u001b", "␛")
    .replace(/[\u200f\u202e\u2067\u2069]/g, (hidden) => `⟨U+${hidden.charCodeAt(0).toString(16).toUpperCase()}⟩`);
const [VISIBLE, ANSWER] = [BODY, RESPONSE].map(visible);

/** Longer ones are cut there, or until the reader asks for all of them. @param {string} text */
const beginning = (text) => (text.length > 600 ? `${text.slice(0, 600)}…` : text);

/** Everything that a page may show of a text, what contains another one first. */
const ALL = [
  VISIBLE,
  ANSWER,
  RESPONSE,
  world.endpoint.description,
  ...[SAID, ERRORS, EXTERNAL_IDS, NAMES, TAGS, SAID.map(beginning)].flat(),
].sort((one, other) => other.length - one.length);

/** @param {Page} page @param {readonly string[]} texts */
async function assertHarmless(page, texts) {
  await assertRead(page, texts);
  await assertInert(page);
  await assertIsolated(page, ALL);
  await assertFits(page);
}

/** @param {Page} page @param {string} path */
async function show(page, path) {
  await page.goto(`${base}/console/${path}`);
  await page.locator("h1").waitFor();
  await page.locator(".loading").first().waitFor({ state: "detached" });
}

/** Presses all buttons that show more, as some show further ones. @param {Page} page @param {string} name */
async function showAll(page, name) {
  const buttons = page.getByRole("button", { name });
  while ((await buttons.count()) > 0) await buttons.first().click();
}

for (const [screen, options] of /** @type {const} */ ([
  ["desktop", DESKTOP],
  ["phone", PHONE],
])) {
  scenario(`whatever was said is text (${screen})`, options, async (page) => {
    await signIn(page, "/console/", world.key);
    await show(page, `jobs/${world.call}`);
    if (screen === "phone") await page.getByRole("tab", { name: "Transcript" }).click();
    await page.getByRole("feed").waitFor();
    await assertHarmless(page, [...SAID, ...TAGS, EXTERNAL_IDS[3], ...Object.values(SPEAKERS)]);

    await page.getByRole("tab", { name: "Insights" }).click();
    await showAll(page, "Show all");
    await assertHarmless(page, SAID);
    await page.getByRole("tab", { name: "Numbers" }).click();
    await page.getByRole("heading", { name: "By speaker" }).waitFor();
    await assertHarmless(page, [...Object.values(SPEAKERS), `Speaker ${HOSTILE[2]}`]);
    await page.getByRole("tab", { name: "History" }).click();
    await page.getByText("Result stored").waitFor();
    await assertHarmless(page, [...Object.keys(METADATA), ...Object.values(METADATA)]);
  });

  scenario(`names that are given are text, and so is what is said about them (${screen})`, options, async (page) => {
    await signIn(page, `/console/jobs/${world.call}`, world.key);
    await page.getByRole("button", { name: "Rename" }).last().click();
    const name = page.getByRole("textbox", { name: "Name of speaker" });
    await name.fill(NAMES[3]);
    await assertIsolated(page, ALL);
    await page.keyboard.press("Enter");
    await page.getByText("is now called").waitFor();
    await assertIsolated(page, ALL);
    await assertHarmless(page, [NAMES[3]]);
    await page.getByRole("button", { name: "Rename" }).last().click();
    await name.fill("");
    await page.keyboard.press("Enter");
    await page.getByText("has no name now").waitFor();
  });

  scenario(`a list of jobs and its filters are text (${screen})`, options, async (page) => {
    await signIn(page, "/console/jobs", world.key);
    await page.getByRole("link", { name: "__proto__" }).waitFor();
    await assertHarmless(page, [...EXTERNAL_IDS, ...TAGS, ...ERRORS]);

    const input = page.getByRole("combobox", { name: "Add a filter" });
    for (const tag of [TAGS[0], TAGS[2], TAGS[3]]) {
      await input.fill(`tag: ${tag.slice(0, 12)}`);
      await page.getByRole("option", { name: tag }).waitFor();
      await assertHarmless(page, [tag]);
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: `Remove filter tag ${tag}` }).waitFor();
    }
    await assertHarmless(page, [TAGS[0], TAGS[2], TAGS[3]]);
  });

  scenario(`errors of the provider are text (${screen})`, options, async (page) => {
    await signIn(page, "/console/jobs", world.key);
    for (const [index, id] of world.failed.entries()) {
      await show(page, `jobs/${id}`);
      await page.getByText("The analysis failed.").waitFor();
      await assertHarmless(page, [ERRORS[index], EXTERNAL_IDS[index]]);
    }
  });

  scenario(`what is found and counted is text (${screen})`, options, async (page) => {
    await signIn(page, "/console/jobs", world.key);
    for (const [words, said] of /** @type {const} */ ([
      // Postgres leaves what looks like a tag out of a snippet.
      ["quotes", `&lt;b&gt; &amp; "quotes" 'single' \`ticks\` \${1+1} {{1+1}}`],
      ["שלום", SAID[2]],
      ["override", SAID[3]],
      ["controls", SAID[6]],
    ])) {
      await show(page, `search?q=${encodeURIComponent(words)}`);
      await page.locator(".hit mark").first().waitFor();
      await assertHarmless(page, [said]);
    }
    await show(page, "conversations");
    await page.getByRole("heading", { name: "What they are about" }).waitFor();
    // Longer values are not counted.
    const counted = SAID.filter((text) => text.length <= 80);
    assert.ok(counted.length > 3);
    await assertHarmless(page, [...counted, ...TAGS]);
  });

  scenario(`what operators see of it is text (${screen})`, options, async (page) => {
    await signIn(page, "/console/operations/keys?caller=hostile", world.key);
    await page.getByRole("table", { name: "API keys" }).waitFor();
    await assertHarmless(page, NAMES);
    await page.getByRole("button", { name: `Actions for the key ${NAMES[3]}` }).click();
    await page.getByRole("menuitem", { name: "Revoke" }).click();
    await page.getByRole("dialog").waitFor();
    await assertHarmless(page, [NAMES[3]]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "Your key" }).click();
    await assertHarmless(page, [NAMES[0]]);

    for (const part of ["", "/drift", "/storage", "/callers", "/configuration"]) {
      await show(page, `operations${part}`);
      await assertHarmless(page, []);
    }
  });

  scenario(`deliveries that cannot be read are text (${screen})`, options, async (page) => {
    await signIn(page, `/console/operations/deliveries?quarantined=true&delivery=${world.delivery}`, world.key);
    await page.getByRole("button", { name: "Show the body" }).click();
    await page.getByLabel("Body of the delivery").waitFor();
    await assertHarmless(page, [VISIBLE, USER_AGENT]);
  });

  scenario(`endpoints and their responses are text (${screen})`, options, async (page) => {
    await signIn(page, `/console/endpoints/${world.endpoint.id}`, world.key);
    const { url, description } = world.endpoint;
    await page.getByRole("heading", { name: url }).waitFor();
    await page.getByRole("button", { name: "Test…" }).click();
    await page.getByRole("button", { name: "Send 1 test" }).click();
    await page.getByText("The test failed").waitFor();
    await assertHarmless(page, [url, description, ANSWER]);
    assert.ok(url.includes("%3Cimg%20src=x"), url);
  });
}
