import assert from "node:assert/strict";
import { test } from "node:test";
import { applyEvent, applyJobs, applyPage, changedIds, newAbove, toRows } from "../web/pages/jobs/rows.js";

/** As much of a job as matters here. @returns {any} */
const job = (id, state = "queued", version = 1) => ({ id, state, version });
const event = (jobId, seq, state) => ({
  jobId,
  seq,
  kind: state ?? "delivery",
  state,
  detail: {},
  at: "2026-05-01T00:00:00Z",
});
const page = (jobs, hasMore = false) => ({ data: jobs, hasMore });
const states = (rows) => rows.map((row) => row.job.state);
const left = (rows) => rows.filter((row) => row.hasLeft).map((row) => row.job.id);

test("an event changes its row in place", () => {
  const before = toRows([job("a"), job("b"), job("c")]);
  const after = applyEvent(before, event("b", 2, "submitting"));
  assert.deepEqual(states(after), ["queued", "submitting", "queued"]);
  assert.deepEqual(changedIds(after), ["b"]);
  assert.equal(after[0], before[0]);
});

test("a row shows when its job was submitted and when it ended before the job is read again", () => {
  const at = "2026-05-01T00:00:00Z";
  const failed = { ...job("a", "failed", 4), submittedAt: "2026-04-30T00:00:00Z", finishedAt: "2026-04-30T00:01:00Z" };
  const [queued] = applyEvent(toRows([failed]), event("a", 5, "queued"));
  assert.equal(queued.job.finishedAt, null, "a job that is retried has not ended");
  const [submitted] = applyEvent([queued], event("a", 7, "submitted"));
  assert.equal(submitted.job.submittedAt, at);
  const [completed] = applyEvent([submitted], event("a", 8, "completed"));
  assert.equal(completed.job.finishedAt, at);
});

test("old, repeated and foreign events change nothing", () => {
  const rows = toRows([job("a", "completed", 4)]);
  assert.equal(applyEvent(rows, event("a", 3, "submitted")), rows);
  assert.equal(applyEvent(rows, event("a", 4, "completed")), rows);
  assert.equal(applyEvent(rows, event("z", 9, "failed")), rows);
});

test("an event without a state leaves the state", () => {
  assert.deepEqual(states(applyEvent(toRows([job("a", "submitted", 3)]), event("a", 4, null))), ["submitted"]);
});

test("an answer that is older than an event does not bring the old state back", () => {
  const rows = applyEvent(toRows([job("a")]), event("a", 3, "submitted"));
  const old = applyJobs(rows, [job("a", "submitting", 2)]);
  assert.deepEqual(states(old), ["submitted"]);
  assert.deepEqual(changedIds(old), ["a"], "its details are still to be read");
  assert.deepEqual(changedIds(applyJobs(rows, [job("a", "submitted", 3)])), []);
});

test("a page that is read again moves no row", () => {
  const rows = toRows([job("b"), job("a")]);
  const after = applyPage(rows, page([job("d"), job("c"), job("b", "completed", 4), job("a")]));
  assert.deepEqual(
    after.map((row) => row.job.id),
    ["b", "a"],
  );
  assert.deepEqual(states(after), ["completed", "queued"]);
  assert.deepEqual(left(after), []);
});

test("a row that no longer matches stays, marked", () => {
  const rows = toRows([job("c"), job("b"), job("a")]);
  assert.deepEqual(left(applyPage(rows, page([job("c"), job("a")]))), ["b"]);
  assert.deepEqual(
    left(applyPage(rows, page([job("c"), job("b")]))),
    ["a"],
    "nothing follows, so the last one left too",
  );
  assert.deepEqual(left(applyPage(rows, page([job("d"), job("c")], true))), [], "the others may be on the next page");
  const back = applyPage(applyPage(rows, page([job("c"), job("a")])), page([job("c"), job("b"), job("a")]));
  assert.deepEqual(left(back), [], "it matches again");
});

test("new jobs are counted above the first known one", () => {
  const rows = toRows([job("b"), job("a")]);
  assert.deepEqual(newAbove(rows, page([job("d"), job("c"), job("b"), job("a"), job("0")])), {
    count: 2,
    hasMore: false,
  });
  assert.deepEqual(newAbove(rows, page([job("b")])), { count: 0, hasMore: false });
  assert.deepEqual(newAbove(rows, page([job("z"), job("y")], true)), { count: 2, hasMore: true });
});
