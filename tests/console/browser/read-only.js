// Against a service with `console.read_only`.
import assert from "node:assert/strict";
import { base, DESKTOP, job, key, scenario, signIn } from "./browser.js";
import { ask } from "./service.js";

scenario(
  "a read-only console says so, offers no change on any page, and its session makes none",
  DESKTOP,
  async (page) => {
    const { id } = await ask("POST", "/v1/endpoints", { url: "http://10.1.2.3/a" });
    await signIn(page);
    for (const [path, heading] of [
      ["/console/jobs", "Jobs"],
      [`/console/jobs/${job}`, "call-2"],
      ["/console/endpoints", "Endpoints"],
      [`/console/endpoints/${id}`, "http://10.1.2.3/a"],
      ["/console/operations/deliveries", "Operations"],
      ["/console/operations/callers", "Operations"],
      ["/console/operations/keys", "Operations"],
    ]) {
      await page.goto(base + path);
      await page.getByRole("heading", { level: 1, name: heading }).waitFor();
      await page.getByText("Read-only: this console shows everything and changes nothing.").waitFor();
      await page.locator(".loading").first().waitFor({ state: "detached" });
      const buttons = await page.getByRole("button").allInnerTexts();
      // What changes something asks first, and its button ends in an ellipsis.
      const changing = /…$|New job|Retry|Cancel job|Name speakers/;
      assert.deepEqual(
        buttons.filter((text) => changing.test(text.trim())),
        [],
        path,
      );
    }
    const refused = await page.evaluate(async (id) => {
      const headers = { "Aftercall-Console": "1" };
      return (await fetch(`/v1/endpoints/${id}`, { method: "DELETE", headers })).status;
    }, id);
    assert.equal(refused, 403);
    await ask("GET", `/v1/endpoints/${id}`, undefined, key);
  },
  { failures: /status of 403/ },
);
