import assert from "node:assert/strict";
import { DESKTOP, key, scenario, signIn } from "./browser.js";
import { recorded } from "./service.js";

scenario("keys open pages, whose heading then has the focus, and ? lists them", DESKTOP, async (page) => {
  await signIn(page);
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await page.locator("h1:focus", { hasText: "Conversations" }).waitFor();
  assert.equal(await page.title(), "Conversations · Aftercall");
  await page.goBack();
  await page.locator("h1:focus", { hasText: "Jobs" }).waitFor();

  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await help.getByText("go to conversations").waitFor();
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "detached" });
});

scenario("the first stop of Tab leads past the navigation", DESKTOP, async (page) => {
  await signIn(page, "/console/jobs");
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("main:focus").waitFor();
  assert.equal(new URL(page.url()).hash, "");
});

scenario("a menu is used by keys alone, and gives the focus back", DESKTOP, async (page) => {
  await signIn(page);
  const button = page.getByRole("button", { name: "Account" });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.locator("[role=menuitem]:focus", { hasText: "Look at another caller" }).waitFor();
  await page.keyboard.press("ArrowUp");
  await page.locator("[role=menuitem]:focus", { hasText: "Sign out" }).waitFor();
  await page.keyboard.press("k");
  await page.locator("[role=menuitem]:focus", { hasText: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("button:focus", { hasText: "tester" }).waitFor();
});

scenario("keys that are typed into a field do nothing else", DESKTOP, async (page) => {
  await signIn(page);
  await page.getByRole("combobox", { name: "Add a filter" }).first().focus();
  await page.keyboard.type("g s?");
  assert.equal(new URL(page.url()).pathname, "/console/jobs");
  assert.equal(await page.getByRole("dialog").count(), 0);
});

scenario("a call is played, stopped and moved in by keys, and ? lists them", DESKTOP, async (page) => {
  const id = await recorded(key, { externalId: "by-keys" });
  await signIn(page, `/console/jobs/${id}`);
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
  const clock = page.locator(".clock");
  for (let times = 0; times < 4; times += 1) await page.keyboard.press("ArrowRight");
  await clock.getByText("0:20", { exact: true }).waitFor();
  for (let times = 0; times < 3; times += 1) await page.keyboard.press("ArrowLeft");
  await clock.getByText("0:05", { exact: true }).waitFor();
  await page.keyboard.press(" ");
  await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
  // A busy browser may not show every second.
  await clock.getByText(/^0:(0[6-9]|1\d|2\d)$/).waitFor();
  await page.keyboard.press(" ");
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  for (const what of [
    "play or pause",
    "5 seconds back",
    "5 seconds ahead",
    "find words in the call",
    "next hit",
    "previous hit",
  ]) {
    await help.getByText(what, { exact: true }).waitFor();
  }
});
