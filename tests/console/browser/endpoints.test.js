// Endpoints: their whole life, and what became of their messages.
import assert from "node:assert/strict";
import { base, DESKTOP, PHONE, scenario, signIn } from "./browser.js";
import { ask, callerOf, ended, receiver, submit } from "./service.js";

/** @typedef {import("./browser.js").Page} Page */

/** Presses a button, answers the question, and reads what was done. @param {Page} page @param {string} button @param {string} answer @param {string} said */
async function act(page, button, answer, said) {
  await page.getByRole("button", { name: button, exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: answer, exact: true }).click();
  await page.getByRole("status").getByText(said).first().waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
}

/** @param {Page} page */
const secretOf = (page) => page.getByRole("textbox", { name: /secret/i }).inputValue();

/** What a form has wrong. */
const REFUSED = { failures: /status of 422/ };

for (const [screen, options] of /** @type {const} */ ([
  ["desktop", DESKTOP],
  ["phone", PHONE],
])) {
  scenario(
    `an endpoint is created, tested, changed, paused, resumed, rotated and deleted (${screen})`,
    options,
    async (page) => {
      const hook = await receiver({ status: 500, body: "<b>no\u202e\u001b</b>" });
      try {
        await signIn(page, "/console/endpoints", await callerOf(`endpoints-${screen}`));
        await page.getByText("This caller has no endpoint").waitFor();
        await page.getByRole("button", { name: "New endpoint…" }).click();
        const form = page.getByRole("dialog", { name: "New endpoint" });
        await form.getByLabel("URL that receives").fill("http://10.0.0.1.example.invalid/");
        await form.getByRole("button", { name: "Create 1 endpoint" }).click();
        await form.getByRole("alert").getByText("url:").waitFor();
        await form.getByLabel("URL that receives").fill(`${hook.url}?token=secret`);
        await form.getByLabel("Description").fill("Updates the case");
        await form.getByRole("checkbox", { name: "job.submitted" }).check();
        await form.getByRole("checkbox", { name: "job.canceled" }).uncheck();
        await form.getByRole("checkbox", { name: "summary" }).check();
        await form.getByRole("button", { name: "Create 1 endpoint" }).click();

        const first = await secretOf(page);
        assert.match(first, /^whsec_/);
        await page.getByRole("button", { name: "I have stored it" }).click();
        assert.ok(!(await page.content()).includes(first), "the secret is gone");
        const link = page.getByRole("link", { name: `${hook.url}?token=***` });
        await link.click();
        await page.getByRole("heading", { level: 1, name: hook.url }).waitFor();
        await page
          .getByText("job.submitted, job.completed, job.failed, job.timed_out, notify.endpoint.paused")
          .waitFor();

        await page.getByRole("button", { name: "Test…" }).click();
        await page.getByRole("button", { name: "Send 1 test" }).click();
        await page.getByText("The test failed: it responded 500 in").waitFor();
        // What it answered is text, and what is hidden in it can be seen.
        assert.equal(await page.getByLabel("Response").textContent(), "<b>no⟨U+202E⟩␛</b>");
        assert.deepEqual(
          hook.received.map(({ type }) => type),
          ["notify.test"],
        );

        await page.getByRole("button", { name: "Change…" }).click();
        const change = page.getByRole("dialog", { name: "Change this endpoint" });
        await change.getByLabel("Description").fill("Another one");
        await change.getByRole("checkbox", { name: "job.submitted" }).uncheck();
        await change.getByRole("button", { name: "Change 1 endpoint" }).click();
        await page.getByText("Changed: messages are sent as it says now.").waitFor();
        await page.getByText("Another one").waitFor();
        await page.getByText("job.submitted", { exact: false }).waitFor({ state: "detached" });

        await act(page, "Pause…", "Pause 1 endpoint", "Paused: nothing is sent to it.");
        await page.getByText("paused", { exact: true }).waitFor();
        await act(page, "Resume…", "Resume 1 endpoint", "Resumed: messages are sent to it again.");
        await page.getByText("active", { exact: true }).waitFor();

        await page.getByRole("button", { name: "Rotate the secret…" }).click();
        await page.getByLabel("ends now, because it has leaked").check();
        await page.getByRole("button", { name: "Rotate 1 secret" }).click();
        await page.getByText("Rotated: store the new secret.").waitFor();
        const second = await secretOf(page);
        assert.ok(second.startsWith("whsec_") && second !== first);
        await page.reload();
        await page.getByRole("heading", { level: 1, name: hook.url }).waitFor();
        assert.equal(await page.getByRole("textbox", { name: /secret/i }).count(), 0);

        await act(page, "Delete…", "Delete 1 endpoint", "Deleted the endpoint");
        await page.getByText("This caller has no endpoint").waitFor();
        assert.equal(new URL(page.url()).pathname, "/console/endpoints");
      } finally {
        hook.close();
      }
    },
    REFUSED,
  );
}

scenario(
  "messages have their attempts; one is replayed, and what was missed is counted, then sent",
  DESKTOP,
  async (page) => {
    const answer = { status: 200, body: "stored" };
    const hook = await receiver(answer);
    const key = await callerOf("messages");
    try {
      const { id } = await ask("POST", "/v1/endpoints", { url: hook.url, events: ["job.completed"] }, key);
      const [job] = await submit(key, [{ externalId: "announced" }]);
      await ended(key, job);
      await signIn(page, `/console/endpoints/${id}`, key);
      await page.getByRole("heading", { name: "Messages" }).waitFor();
      const row = page.getByRole("row", { name: "job.completed" }).first();
      await eventually(page, () => row.getByText("delivered").isVisible());
      await row.getByText("1 attempt, the last: 200 in").click();
      assert.equal(await row.getByLabel("Response to attempt 1").textContent(), "stored");
      await row.getByRole("button", { name: "Replay the message job.completed" }).click();
      await page.getByRole("button", { name: "Replay 1 message" }).click();
      await page.getByText("The message is due now.").waitFor();
      await eventually(page, async () => hook.received.length === 2);
      assert.notEqual(hook.received[0].id, hook.received[1].id);
      await eventually(page, () => page.getByText("replay", { exact: true }).isVisible());

      // What happens while it is paused is missed.
      await ask("POST", `/v1/endpoints/${id}/pause`, undefined, key);
      const [missed] = await submit(key, [{ externalId: "missed" }]);
      await ended(key, missed);
      await ask("POST", `/v1/endpoints/${id}/resume`, undefined, key);
      await page.reload();
      await eventually(page, () => page.getByText("skipped", { exact: true }).isVisible());
      await page.getByRole("button", { name: "Recover…" }).click();
      const dialog = page.getByRole("dialog", { name: "Send what it has missed" });
      await dialog.getByRole("button", { name: "Count them" }).click();
      await dialog.getByText("1 message would be sent.").waitFor();
      assert.equal(hook.received.length, 2, "so far it was only counted");
      await dialog.getByRole("button", { name: "Recover 1 message" }).click();
      await page.getByText("1 message is due again.").waitFor();
      await eventually(page, async () => hook.received.length === 3);

      // The filter of the list is that of the replay.
      await page.getByRole("combobox", { name: "Add a filter" }).fill("type: job.failed");
      await page.keyboard.press("Enter");
      await page.getByText("No message matches").waitFor();
      await page.getByRole("button", { name: "Replay all that match…" }).click();
      await page.getByText("No message matches: replays are made").waitFor();
    } finally {
      hook.close();
    }
  },
);

scenario("a key that may only manage endpoints begins there, and sees no more", DESKTOP, async (page) => {
  const key = await callerOf("hooks", ["notify:write"]);
  await page.goto(`${base}/console/sign-in`);
  await page.getByLabel("API key").fill(key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Endpoints" }).waitFor();
  const pages = page.getByRole("navigation", { name: "Pages" });
  assert.deepEqual(await pages.getByRole("link").allInnerTexts(), ["Endpoints"]);
  await page.getByRole("button", { name: "New endpoint…" }).click();
  await page.getByRole("checkbox", { name: "job.completed" }).waitFor();
  // What was said is not for this key, nor for what it sends.
  assert.equal(await page.getByRole("checkbox", { name: "summary" }).count(), 0);
});

scenario("an endpoint of another caller is left when one looks elsewhere", DESKTOP, async (page) => {
  const key = await callerOf("looked-at");
  const { id } = await ask("POST", "/v1/endpoints", { url: "http://10.1.2.3/a" }, key);
  await signIn(page, `/console/endpoints/${id}`, key);
  await page.getByRole("heading", { level: 1, name: "http://10.1.2.3/a" }).waitFor();
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Look at another caller" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "tester" }).click();
  await page.getByText("You see what tester sees.").waitFor();
  await page.getByRole("heading", { level: 1, name: "Endpoints" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/console/endpoints");
});

scenario("looking at another caller, only a key with admin:write is offered changes", DESKTOP, async (page) => {
  const key = await callerOf("onlooker", ["jobs:read", "notify:write", "admin:read"]);
  await signIn(page, "/console/endpoints", key);
  await page.getByRole("button", { name: "New endpoint…" }).waitFor();
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Look at another caller" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "tester" }).click();
  await page.getByText("admin:write creates or changes endpoints").waitFor();
  assert.equal(await page.getByRole("button", { name: "New endpoint…" }).count(), 0);
});

/** What comes by itself, without a button: asks the page to refresh until it is there. @param {Page} page @param {() => Promise<boolean>} isTrue */
async function eventually(page, isTrue) {
  const end = Date.now() + 15_000;
  while (!(await isTrue())) {
    assert.ok(Date.now() < end, `not within 15 seconds: ${isTrue}`);
    const refresh = page.getByRole("button", { name: "Refresh" });
    if (await refresh.isVisible()) await refresh.click();
    await page.waitForTimeout(100);
  }
}
