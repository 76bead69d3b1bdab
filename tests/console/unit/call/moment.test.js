import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf, momentOf } from "../../web/pages/call/moment.js";

test("a link names a moment in seconds, and is read again", () => {
  assert.equal(hashOf(83.2), "#t=83.2");
  assert.equal(hashOf(83.2499), "#t=83.2");
  assert.equal(hashOf(-1), "#t=0");
  assert.equal(momentOf("#t=83.2"), 83.2);
  assert.equal(momentOf("#a=b&t=7"), 7);
});

test("anything else is no moment", () => {
  for (const hash of ["", "#", "#t=", "#t=-5", "#t=1e9", "#t=NaN", "#83.2", "#t=<b>", "#t=99999999999"]) {
    assert.equal(momentOf(hash), null, hash);
  }
});
