import assert from "node:assert/strict";
import { base, DESKTOP, job, newKey, PHONE, revoke, scenario, signIn } from "./browser.js";

const NOT_SIGNED_IN = { failures: /status of 401/ };
const NOT_REACHED = { failures: /ERR_INTERNET_DISCONNECTED/ };

scenario(
  "a wrong key is explained; a right one opens the jobs, and no script can read it",
  DESKTOP,
  async (page) => {
    await page.goto(`${base}/console/sign-in`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Paste an API key.").waitFor();
    await page.getByLabel("API key").fill("ac_wrong");
    await page.keyboard.press("Enter");
    await page.getByText("This key is not valid.").waitFor();
    await page.getByText("aftercall keys create").waitFor();

    await signIn(page);
    assert.equal(new URL(page.url()).pathname, "/console/jobs");
    assert.equal(await page.title(), "Jobs · Aftercall");
    const readable = await page.evaluate(() =>
      JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]),
    );
    assert.equal(readable, '["",{},{}]');
  },
  NOT_SIGNED_IN,
);

scenario(
  "a page opened without a session asks to sign in, and is then shown",
  DESKTOP,
  async (page) => {
    await page.goto(`${base}/console/search?q=invoice`);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.getByLabel("API key").fill(/** @type {string} */ (process.env.AFTERCALL_KEY));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
    assert.equal(page.url(), `${base}/console/search?q=invoice`);
  },
  NOT_SIGNED_IN,
);

for (const [screen, options] of /** @type {const} */ ([
  ["desktop", DESKTOP],
  ["phone", PHONE],
])) {
  scenario(
    `signing out ends the session (${screen})`,
    options,
    async (page) => {
      await signIn(page);
      await page.getByRole("button", { name: "Account" }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      assert.deepEqual(await page.context().cookies(), []);
      await page.goto(`${base}/console/jobs`);
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    },
    NOT_SIGNED_IN,
  );
}

scenario(
  "a revoked key ends its session, and another one goes on at the same place",
  DESKTOP,
  async (page) => {
    const scopes = ["jobs:read", "transcript:read", "search:read"];
    const { id, key } = await newKey({ name: "laptop", caller: "tester", scopes });
    await signIn(page, "/console/jobs?status=completed", key);
    await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
    await revoke(id);
    await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
    await page.getByLabel("API key").fill(/** @type {string} */ (process.env.AFTERCALL_KEY));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
    assert.equal(page.url(), `${base}/console/jobs?status=completed`);
  },
  NOT_SIGNED_IN,
);

scenario(
  "without a connection a banner says so, and goes once the service is back",
  DESKTOP,
  async (page) => {
    await signIn(page);
    const banner = page.getByText("The service cannot be reached. What you see may be old");
    await page.context().setOffline(true);
    await banner.waitFor();
    await page.context().setOffline(false);
    await banner.waitFor({ state: "detached" });
  },
  NOT_REACHED,
);

scenario("an operator sees what another caller sees, and is told so", DESKTOP, async (page) => {
  await newKey({ name: "crm", caller: "crm", scopes: ["jobs:read"] });
  await signIn(page, `/console/jobs/${job}`);
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Look at another caller" }).click();
  await page.getByRole("searchbox", { name: "Find a caller" }).fill("cr");
  await page.getByRole("dialog").getByRole("button", { name: "crm" }).click();
  await page.getByText("You see what crm sees.").waitFor();
  // The call that was open is another caller's.
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Back to tester" }).click();
  await page.getByText("You see what crm sees.").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "call-2" }).first().waitFor();
});

scenario("a key sees the pages that it has scopes for, and no other callers", DESKTOP, async (page) => {
  const { key } = await newKey({ name: "reader", caller: "tester", scopes: ["jobs:read", "search:read"] });
  await signIn(page, "/console/", key);
  const pages = page.getByRole("navigation", { name: "Pages" });
  assert.deepEqual(await pages.getByRole("link").allInnerTexts(), ["Jobs", "Search"]);
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Your key" }).waitFor();
  assert.equal(await page.getByRole("menuitem", { name: "Look at another caller" }).count(), 0);
});

scenario("an address without a page says so", DESKTOP, async (page) => {
  await signIn(page, "/console/nowhere");
  await page.getByText("There is no page here.").waitFor();
  await page.getByRole("link", { name: "the jobs" }).click();
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
});

scenario("a used link says so", DESKTOP, async (page) => {
  await page.goto(`${base}/console/sign-in?code=used`);
  await page.getByText("This link has been used or is too old").waitFor();
});
