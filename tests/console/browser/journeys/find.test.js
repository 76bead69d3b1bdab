import { analyze, shippedCall } from "../../made/deliver.js";
import { assertFits, signIn } from "../browser.js";
import { clock, heard, journey } from "./journey.js";

/** @typedef {import("./journey.js").Reader} Reader */

journey("words are found in a call, with their number and from one to the next", async ({ page, at, press }) => {
  const id = await analyze(await shippedCall(), { externalId: `found-at-${at}` });
  await signIn(page, `/console/jobs/${id}`);
  const field = page.getByRole("textbox", { name: "Find in this call" });
  const hit = page.locator("mark.is-selected");
  const next = async () => (at === "desk" ? page.keyboard.press("j") : press(page.getByLabel("Next hit")));
  const previous = async () => (at === "desk" ? page.keyboard.press("k") : press(page.getByLabel("Previous hit")));
  await page.getByRole("article").getByText("How can I help you today?").waitFor();

  if (at === "desk") await page.keyboard.press("/");
  else await press(field);
  await page.keyboard.type("invoice");
  await page.getByText("1 of 4").waitFor();
  // Keys that are typed into the field are letters.
  await page.keyboard.press("Enter");
  await page.getByText("2 of 4").waitFor();
  await page.keyboard.press("Tab");
  await next();
  await page.getByText("3 of 4").waitFor();
  await next();
  await page.getByText("4 of 4").waitFor();
  await inView(page, "an email with the new invoice");
  await next();
  await page.getByText("1 of 4").waitFor();
  await inView(page, "My invoice shows a double charge");
  await previous();
  await page.getByText("4 of 4").waitFor();
  await inView(page, "an email with the new invoice");
  await assertFits(page);

  await field.fill("lighthouse");
  await page.getByText("Not found").waitFor();
  await hit.waitFor({ state: "detached" });
});

journey("a task and a question lead to where they were said", async ({ page, at, press }) => {
  const id = await analyze(await shippedCall(), { externalId: `evidence-at-${at}` });
  await signIn(page, `/console/jobs/${id}`);
  const insights = page.getByRole("tab", { name: "Insights" });
  await press(insights);
  await press(page.getByRole("button", { name: "0:31: Yes, I will send the refund today." }));
  await heard(page, "Yes, I will send the refund today.");
  await clock(page, /^0:3[1-4]/);

  await press(insights);
  await press(page.getByRole("button", { name: "0:18: Sure, the invoice number is four four seven one." }));
  await heard(page, "Sure, the invoice number is four four seven one.");
  await clock(page, /^0:(18|19|20)/);
  await assertFits(page);
});

/** Waits until the selected hit is in this sentence and can be seen. @param {import("./journey.js").Page} page @param {string} text */
const inView = (page, text) =>
  page.waitForFunction((text) => {
    const mark = document.querySelector("mark.is-selected");
    const player = document.querySelector(".player");
    if (!mark || !player || !mark.closest(".utterance")?.textContent?.includes(text)) return false;
    const { top, bottom } = mark.getBoundingClientRect();
    return top >= player.getBoundingClientRect().bottom && bottom <= window.innerHeight;
  }, text);
