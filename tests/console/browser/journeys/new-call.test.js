import assert from "node:assert/strict";
import { shippedCall } from "../../made/deliver.js";
import { assertFits, signIn } from "../browser.js";
import { clock, heard, journey, toast } from "./journey.js";

/** @typedef {import("./journey.js").Reader} Reader */

journey("a recording is submitted, completes under one's eyes, and is heard while one reads along", async (reader) => {
  const { page, at, press } = reader;
  await signIn(page);
  await page.evaluate(() => document.body.setAttribute("data-loaded", "once"));
  const name = `call-at-${at}`;
  await (at === "desk" ? drop : choose)(reader, `${name}.wav`);

  const dialog = page.getByRole("dialog", { name: "New job" });
  await dialog.getByText("0:48, 2 channels, 1.5 MB").waitFor();
  // The other screen has had it analyzed, too.
  await press(dialog.getByLabel("Analyze again"));
  await assertFits(page);
  await press(dialog.getByRole("button", { name: "Submit" }));
  await toast(page, `${name} was submitted.`);
  const row = page.getByRole("row", { name });
  await row.getByText("Completed").waitFor();
  assert.equal(await page.locator("body").getAttribute("data-loaded"), "once", "it completes without a reload");

  await press(row.getByRole("link", { name }));
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await press(page.getByRole("button", { name: "Play", exact: true }));
  await heard(page, "Thank you for calling Northwind support, this is Robin.");
  await clock(page, /^0:0[1-3]/);
  if (at === "desk") {
    // Far ahead by keys, which only move the sound: the transcript has to follow it.
    for (let count = 0; count < 7; count++) await page.keyboard.press("ArrowRight");
    await heard(page, "The refund should arrive within three days.");
    await press(page.getByRole("button", { name: "Play from 0:00" }));
  }
  await page.getByLabel("Speed").selectOption("2");
  await heard(page, "How can I help you today?");
  await heard(page, "Hello, I am really frustrated.");

  // Somewhere else on the waveform: the transcript goes there, and on with the sound.
  const waveform = page.getByRole("slider", { name: "Position in the call" });
  const { width, height } = /** @type {{ width: number, height: number }} */ (await waveform.boundingBox());
  const position = { x: width * 0.93, y: height / 3 };
  await (at === "desk" ? waveform.click({ position }) : waveform.tap({ position }));
  await heard(page, "Thank you for your patience, and goodbye.");
  await heard(page, "Thank you, bye.");
  await assertFits(page);
  // At the end, it can be played again.
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
});

/** Drags it over the page from the outside, and lets go. @param {Reader} reader @param {string} name */
async function drop({ page }, name) {
  const file = { name, content: (await shippedCall()).toString("base64") };
  const dataTransfer = await page.evaluateHandle(({ name, content }) => {
    const dragged = new DataTransfer();
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    dragged.items.add(new File([bytes], name, { type: "audio/wav" }));
    return dragged;
  }, file);
  await page.locator("main").dispatchEvent("dragover", { dataTransfer });
  await page.getByText("Drop recordings to analyze them").waitFor();
  await page.locator("main").dispatchEvent("drop", { dataTransfer });
}

/** Chooses it in the dialog, as fingers drag nothing into a browser. @param {Reader} reader @param {string} name */
async function choose({ page, press }, name) {
  await press(page.getByRole("button", { name: "New job" }));
  const chooser = page.waitForEvent("filechooser");
  await press(page.getByRole("button", { name: "Choose files" }));
  await (await chooser).setFiles({ name, mimeType: "audio/wav", buffer: await shippedCall() });
}
