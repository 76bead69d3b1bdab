import { randomUUID } from "node:crypto";
import { send, silentJob } from "../../made/deliver.js";
import { assertFits, signIn } from "../browser.js";
import { journey, toast } from "./journey.js";

const RESULT = {
  utteranceInsights: [{ start: 1, end: 4, text: "The lighthouse is blue.", confidence: 0.9, speakerId: "0" }],
};

journey("a delivery in quarantine is found, read, tried, and accepted, and completes its job", async (reader) => {
  const { page, at, press } = reader;
  const { webhook } = await silentJob({ externalId: `quarantined-at-${at}` });
  // The provider names another job than the one that Aftercall submitted.
  await send(webhook, JSON.stringify({ jobId: randomUUID(), status: "Success", response: RESULT }));

  await signIn(page);
  await press(page.getByRole("link", { name: "Operations" }));
  await press(page.getByRole("link", { name: "In quarantine" }));
  const row = page.getByRole("row", { name: "mismatch" });
  await row.waitFor();
  await assertFits(page);

  // A dry run says how many there are; a replay as such does not let it in.
  await press(page.getByRole("button", { name: "Replay all that match" }));
  const dialog = page.getByRole("dialog", { name: "Replay 1 delivery?" });
  await dialog.getByText("stay in quarantine").waitFor();
  await press(dialog.getByRole("button", { name: "Replay 1 delivery" }));
  await toast(page, "1 delivery replayed: 1 mismatch.");

  await press(row.getByRole("link").first());
  const delivery = page.getByRole("region", { name: "Delivery", exact: true });
  await press(delivery.getByRole("button", { name: "Show the body" }));
  await delivery.getByText("The lighthouse is blue.").waitFor();
  await assertFits(page);
  await press(delivery.getByRole("button", { name: "Accept the mismatch" }));
  const question = page.getByRole("dialog", { name: "Accept this delivery although it names another job?" });
  await press(question.getByRole("button", { name: "Accept and replay" }));
  await toast(page, "Replayed: accepted.");
  await delivery.getByText("mismatch, resolved").waitFor();
  await page.getByText("Nothing is in quarantine that matches: all is well.").waitFor();

  await press(delivery.getByRole("link", { name: "Job" }).locator("code"));
  await page.getByRole("heading", { level: 1, name: `quarantined-at-${at}` }).waitFor();
  await page.getByRole("article").getByText("The lighthouse is blue.").waitFor();
  await page.getByText("arrived by a replay").waitFor();
});
