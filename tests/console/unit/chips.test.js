import assert from "node:assert/strict";
import { test } from "node:test";
import { split, typedValue } from "../web/parts/chips.js";

const state = { name: "status", label: "state", options: ["failed", "timed_out"] };
const tag = { name: "tag", label: "tag" };
const after = { name: "createdAfter", label: "created after", isDate: true };
const fields = [state, tag, after];

test("a text names a field by its label or its parameter", () => {
  assert.deepEqual(split(fields, "tag: sup"), { field: tag, rest: "sup" });
  assert.deepEqual(split(fields, "STATUS:failed"), { field: state, rest: "failed" });
  assert.deepEqual(split(fields, "Created after:2026-05-01"), { field: after, rest: "2026-05-01" });
});

test("a colon after anything else is part of the text", () => {
  assert.deepEqual(split(fields, "crm:42"), { field: undefined, rest: "crm:42" });
  assert.deepEqual(split(fields, "tag: crm:42"), { field: tag, rest: "crm:42" });
  assert.deepEqual(split(fields, "tag"), { field: undefined, rest: "tag" });
});

test("what is typed becomes a value of its field, or nothing", () => {
  assert.equal(typedValue(state, "timed out"), "timed_out");
  assert.equal(typedValue(state, "lost"), null);
  assert.equal(typedValue(tag, "Anything"), "Anything");
  assert.equal(typedValue(after, "2026-05-01"), "2026-05-01T00:00:00.000Z");
  assert.equal(typedValue(after, "2026-02-31T"), null);
  assert.equal(typedValue(after, "soon"), null);
});
