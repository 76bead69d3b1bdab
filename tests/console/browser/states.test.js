// Each page without data, without a connection, and without a session.
import assert from "node:assert/strict";
import { base, DESKTOP, job, key, newKey, revoke, scenario, signIn } from "./browser.js";
import { callerOf } from "./service.js";

/** @typedef {import("./browser.js").Page} Page */

/** A page, what it says while there is nothing, and what it asks the service for. @type {[path: string, empty: string, request: string][]} */
const PAGES = [
  ["/console/jobs", "Drop your first recording here", "/v1/jobs?"],
  ["/console/search?q=nothing-of-the-kind", "Nothing like that was said.", "/v1/search"],
  ["/console/conversations", "No conversation ended in these days", "/v1/stats/jobs"],
  ["/console/endpoints", "This caller has no endpoint", "/v1/endpoints"],
  ["/console/operations", "", "/v1/admin/overview"],
  ["/console/operations/provider", "", "/v1/admin/provider"],
  ["/console/operations/deliveries?outcome=late", "No delivery", "/v1/admin/deliveries"],
  ["/console/operations/drift", "The provider keeps to its contract", "/v1/admin/drift"],
  ["/console/operations/storage", "", "/v1/admin/storage"],
  ["/console/operations/callers", "", "/v1/admin/callers"],
  ["/console/operations/keys?caller=nobody", "No key matches", "/v1/admin/keys"],
  ["/console/operations/configuration?find=nothing-of-the-kind", "No setting matches", "/v1/admin/config"],
];

scenario("each page says what to do while there is nothing to show", DESKTOP, async (page) => {
  await signIn(page, "/console/", await callerOf("nothing"));
  // What is of no caller may be there because of other tests.
  await page.route("**/v1/admin/drift", (route) => route.fulfill({ json: { data: [] } }));
  for (const [path, empty] of PAGES) {
    if (empty === "") continue;
    await page.goto(base + path);
    await page.getByText(empty).first().waitFor();
  }
});

scenario(
  "each page says that the service is not reached, and goes on by itself",
  DESKTOP,
  async (page) => {
    await signIn(page);
    await page.clock.install();
    for (const [path, , request] of [...PAGES, [`/console/jobs/${job}`, "", `/v1/jobs/${job}`]]) {
      const isAsked = (/** @type {URL} */ url) => (url.pathname + url.search).startsWith(request.replace("?", ""));
      let isReached = false;
      await page.route(isAsked, (route) => (isReached ? route.continue() : route.abort()));
      await page.goto(base + path);
      await page.getByRole("alert").getByText("The service cannot be reached.").first().waitFor();
      await page.getByRole("button", { name: "Try again" }).first().waitFor();
      isReached = true;
      // Nobody presses anything.
      await page.clock.fastForward("00:10");
      await page.getByRole("alert").first().waitFor({ state: "detached" });
      await page.unroute(isAsked);
    }
  },
  { failures: /ERR_FAILED/ },
);

scenario(
  "each page says in words what the service has refused, and can be tried again",
  DESKTOP,
  async (page) => {
    await signIn(page);
    for (const [path, , request] of PAGES) {
      const isAsked = (/** @type {URL} */ url) => (url.pathname + url.search).startsWith(request.replace("?", ""));
      const body = JSON.stringify({
        status: 503,
        code: "unavailable",
        title: "Not now",
        detail: "The database restarts.",
      });
      await page.route(isAsked, (route) =>
        route.fulfill({ status: 503, contentType: "application/problem+json", headers: { "Retry-After": "7" }, body }),
      );
      await page.goto(base + path);
      const alert = page.getByRole("alert").first();
      await alert.getByText("The database restarts. Try again in 7 s.").waitFor();
      await page.unroute(isAsked);
      await alert.getByRole("button", { name: "Try again" }).click();
      await alert.waitFor({ state: "detached" });
    }
  },
  { failures: /status of 503/ },
);

scenario(
  "each page asks to sign in once its session has ended, and is then shown",
  DESKTOP,
  async (page) => {
    const { id, key: other } = await newKey({
      name: "ends",
      caller: "tester",
      scopes: ["jobs:read", "transcript:read", "search:read", "stats:read", "notify:write", "admin:read"],
    });
    await signIn(page, "/console/", other);
    await revoke(id);
    for (const [path] of PAGES) {
      await page.goto(base + path);
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    }
    const [path] = PAGES[PAGES.length - 1];
    await page.getByLabel("API key").fill(key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Operations" }).waitFor();
    assert.equal(page.url(), base + path);
  },
  { failures: /status of 401/ },
);
