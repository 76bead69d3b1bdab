import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenColumns, jobName } from "../web/pages/jobs/columns.js";
import { clickedStates, totalOf } from "../web/pages/jobs/state-counts.js";

const usual = chosenColumns(null);

test("chosen columns stand in the order of the table, and unknown ones are dropped", () => {
  assert.deepEqual(chosenColumns("took,state,job,of-a-later-version"), ["job", "state", "took"]);
  assert.deepEqual(chosenColumns("state"), ["job", "state"], "a row is opened by its name");
  assert.deepEqual(chosenColumns("nonsense"), usual);
  assert.ok(usual.includes("state") && !usual.includes("id"));
});

test("a job without a name of the app's is called by the end of its id", () => {
  assert.equal(jobName({ externalId: "call-1", id: "01a2266e-9025-7221-a11e-dad2c187acf2" }), "call-1");
  assert.equal(jobName({ externalId: null, id: "01a2266e-9025-7221-a11e-dad2c187acf2" }), "…c187acf2");
});

test("a click on a state filters by it, a second one by none, and a modifier adds", () => {
  assert.deepEqual(clickedStates([], "failed", false), ["failed"]);
  assert.deepEqual(clickedStates(["queued", "failed"], "failed", false), ["failed"]);
  assert.deepEqual(clickedStates(["failed"], "failed", false), []);
  assert.deepEqual(clickedStates(["failed"], "timed_out", true), ["failed", "timed_out"]);
  assert.deepEqual(clickedStates(["failed", "timed_out"], "failed", true), ["timed_out"]);
});

test("totals are told only when they are exact", () => {
  const data = { queued: 1, submitting: 2, submitted: 3, completed: 4, failed: 5, timed_out: 6, canceled: 7 };
  assert.equal(totalOf({ data, isComplete: true }, []), 28);
  assert.equal(totalOf({ data, isComplete: true }, ["failed", "timed_out"]), 11);
  assert.equal(totalOf({ data, isComplete: false }, []), null);
  assert.equal(totalOf(undefined, []), null);
});
