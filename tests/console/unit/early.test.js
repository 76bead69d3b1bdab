import assert from "node:assert/strict";
import { test } from "node:test";
// The pages that are loaded as well import this one, for which there is no page.
import "../web/lib/early.js";

let runs = 0;

/** @type {Record<string, object>} */
const ANSWERS = {
  "/console/session": { scopes: ["jobs:read", "transcript:read"] },
  "/v1/jobs/a": { state: "completed" },
  "/v1/jobs/b": { state: "queued" },
};

/**
 * The module as it begins on a page, and what it asks for.
 * @param {string} pathname
 * @param {Record<string, object>} [answers]
 */
async function begun(pathname, answers = ANSWERS) {
  /** @type {string[]} */
  const asked = [];
  /** @type {any} */ (globalThis).location = { pathname };
  globalThis.fetch = async (path) => {
    asked.push(String(path));
    const answer = answers[String(path)];
    return answer ? Response.json(answer) : Response.json({ title: "no" }, { status: 401 });
  };
  const early = await import(`../web/lib/early.js?${runs++}`);
  // Bodies are read in some turns of the event loop.
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  return { asked, ...early };
}

test("a call is asked for with the session, and its result once it is known that it can be read", async () => {
  const { asked, takeEarly } = await begun("/console/jobs/a");
  const transcript = "/v1/jobs/a/transcript?format=json";
  const result = [transcript, "/v1/jobs/a/speakers", "/v1/jobs/a/insights"];
  assert.deepEqual(asked, ["/console/session", "/v1/jobs/a", ...result]);
  assert.deepEqual(await (await takeEarly("GET", "/v1/jobs/a")).json(), ANSWERS["/v1/jobs/a"]);
  assert.equal(takeEarly("GET", "/v1/jobs/a"), undefined, "later ones are asked for anew");
  assert.notEqual(takeEarly("GET", transcript), undefined);
});

test("a result is not asked for where it cannot be read", async () => {
  assert.deepEqual((await begun("/console/jobs/b")).asked, ["/console/session", "/v1/jobs/b"]);
  const blind = { ...ANSWERS, "/console/session": { scopes: ["jobs:read"] } };
  assert.deepEqual((await begun("/console/jobs/a", blind)).asked.length, 2);
  assert.deepEqual((await begun("/console/jobs/a", {})).asked.length, 2, "without a session");
  assert.deepEqual((await begun("/console/search")).asked, ["/console/session"]);
  assert.deepEqual((await begun("/console/sign-in")).asked, []);
});

test("responses from before the signing in are not taken after it", async () => {
  const { takeEarly } = await begun("/console/jobs/a", { "/v1/jobs/a": {} });
  takeEarly("POST", "/console/session");
  assert.equal(takeEarly("GET", "/v1/jobs/a"), undefined);
});
