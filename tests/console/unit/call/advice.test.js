import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { adviceFor, isFinal, waitFor } from "../../web/pages/call/advice.js";

const api = JSON.parse(readFileSync(new URL("../../../../docs/openapi.json", import.meta.url), "utf8"));

const { schemas } = api.components;

test("every class of errors has advice of its own", () => {
  const advice = schemas.ErrorClass.enum.map((name) => adviceFor({ class: name, message: "", retryable: false }));
  assert.equal(new Set(advice).size, schemas.ErrorClass.enum.length);
  assert.ok(advice.every((text) => text !== adviceFor({ class: "unheard-of", message: "", retryable: false })));
  assert.match(adviceFor({ class: "unheard-of", message: "", retryable: true }), /Retry/);
  assert.match(adviceFor(null), /Retry/);
});

test("every reason to wait is explained", () => {
  assert.ok(schemas.QueueReason.enum.every((reason) => waitFor(reason) !== ""));
  assert.equal(waitFor("unheard-of"), "");
});

test("a state is final if nothing more happens by itself", () => {
  const final = schemas.State.enum.filter(isFinal);
  assert.deepEqual(final, ["completed", "failed", "timed_out", "canceled"]);
});
