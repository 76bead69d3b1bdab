// Keys and callers, as an operator manages them.
import assert from "node:assert/strict";
import { base, DESKTOP, PHONE, scenario, signIn } from "./browser.js";
import { ask, callerOf } from "./service.js";

/** @param {string} withKey */
const statusOf = async (withKey) =>
  (await fetch(`${base}/v1/jobs`, { headers: { Authorization: `Bearer ${withKey}` } })).status;

/** @param {string} [name] @returns {Promise<any[]>} */
const keysOf = async (name) => (await ask("GET", `/v1/admin/keys?caller=${name}`)).data;

/** What a form has wrong. */
const REFUSED = { failures: /status of 422/ };

for (const [screen, options] of /** @type {const} */ ([
  ["desktop", DESKTOP],
  ["phone", PHONE],
])) {
  scenario(
    `a key is created, rolled and revoked (${screen})`,
    options,
    async (page) => {
      const caller = `keys-${screen}`;
      await signIn(page, `/console/operations/keys?caller=${caller}`);
      await page.getByText("No key matches").waitFor();
      await page.getByRole("button", { name: "New key…" }).click();
      const form = page.getByRole("dialog", { name: "New key" });
      await form.getByLabel("Caller, the app").fill("Not a name");
      await form.getByRole("button", { name: "Create 1 key" }).click();
      await form.getByRole("alert").getByText("caller:").waitFor();
      await form.getByLabel("Caller, the app").fill(caller);
      await form.getByLabel("Name, such as").fill("host 7");
      for (const scope of ["jobs:write", "transcript:read", "search:read", "stats:read"]) {
        await form.getByRole("checkbox", { name: scope }).uncheck();
      }
      await form.getByLabel("It expires").selectOption("in 30 days");
      await form.getByRole("button", { name: "Create 1 key" }).click();

      const shown = page.getByRole("textbox", { name: /New key/ });
      const first = await shown.inputValue();
      assert.equal(await statusOf(first), 200);
      const [made] = await keysOf(caller);
      assert.deepEqual([made.name, made.scopes], ["host 7", ["jobs:read"]]);
      const days = (Date.parse(made.expiresAt) - Date.now()) / 86_400_000;
      assert.ok(days > 29.9 && days <= 30, made.expiresAt);
      await page.getByRole("button", { name: "I have stored it" }).click();
      assert.ok(!(await page.content()).includes(first), "the key is gone");

      const actions = page.getByRole("button", { name: `Actions for the key host 7 of ${caller}` });
      await actions.click();
      await page.getByRole("menuitem", { name: "Roll…" }).click();
      await page.getByLabel("The old key stays valid").selectOption("not at all");
      await page.getByRole("button", { name: "Roll 1 key" }).click();
      const second = await shown.inputValue();
      assert.notEqual(second, first);
      // A key is remembered for a second.
      await until(async () => (await statusOf(first)) === 401);
      assert.equal(await statusOf(second), 200);
      await page.getByRole("button", { name: "I have stored it" }).click();

      await actions.first().click();
      await page.getByRole("menuitem", { name: "Revoke…" }).click();
      await page.getByRole("button", { name: "Revoke 1 key" }).click();
      await page.getByText(/^Revoked the key/).waitFor();
      await until(async () => (await statusOf(second)) === 401);
      await page.getByText("revoked").first().waitFor();
    },
    REFUSED,
  );
}

scenario("a caller gets another weight and quotas, which can be taken away again", DESKTOP, async (page) => {
  await callerOf("weighed");
  await signIn(page, "/console/operations/callers");
  const row = page.getByRole("row", { name: "weighed" });
  await row.getByRole("button", { name: "Change weighed" }).click();
  const form = page.getByRole("dialog", { name: "Change weighed" });
  await form.getByLabel("Weight").fill("3");
  await form.getByLabel("Submissions per day").fill("1500");
  await form.getByRole("button", { name: "Change weighed" }).click();
  await page.getByText("Changed weighed: weight 3, 1,500 per day, no quota per month.").waitFor();
  await row.getByText("0 of 1,500").waitFor();
  await row.getByRole("button", { name: "Change weighed" }).click();
  assert.equal(await form.getByLabel("Submissions per day").inputValue(), "1500");
  await form.getByLabel("Submissions per day").fill("");
  await form.getByRole("button", { name: "Change weighed" }).click();
  await row.getByText("0 of 1,500").waitFor({ state: "detached" });
  const { data } = await ask("GET", "/v1/admin/callers?limit=200");
  const changed = data.find((/** @type {any} */ { name }) => name === "weighed");
  assert.deepEqual([changed.weight, changed.dailyQuota ?? null], [3, null]);
});

scenario("a key that may not change keys or callers is told so", DESKTOP, async (page) => {
  const key = await callerOf("looker", ["jobs:read", "admin:read"]);
  await signIn(page, "/console/operations/keys", key);
  await page.getByText("creates, rolls or revokes keys").waitFor();
  assert.equal(await page.getByRole("button", { name: /New key|Actions for/ }).count(), 0);
  await page.goto(`${base}/console/operations/callers`);
  await page.getByText("changes weights or quotas").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Change/ }).count(), 0);
});

/** @param {() => Promise<boolean>} isTrue */
async function until(isTrue) {
  const end = Date.now() + 10_000;
  while (!(await isTrue())) assert.ok(Date.now() < end, `not within 10 seconds: ${isTrue}`);
}
