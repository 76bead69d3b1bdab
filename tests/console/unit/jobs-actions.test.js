import assert from "node:assert/strict";
import { test } from "node:test";
import { plan, question, run, said } from "../web/pages/jobs/actions.js";

/** A service that answers in turn, and what it was asked. */
const service = (...answers) => {
  const asked = [];
  const post = async (path, body) => {
    asked.push({ path, ...body });
    return { matched: 0, done: 0, hasMore: false, refused: [], ...answers[asked.length - 1] };
  };
  return { post, asked };
};
const refusal = (id, detail = "the job is completed") => ({ id, code: "state-conflict", detail });

test("a filter is sent with each cursor until nothing is left", async () => {
  const first = { done: 499, hasMore: true, nextCursor: "abc", refused: [refusal("a")] };
  const { post, asked } = service(first, { done: 20, nextCursor: null, refused: [refusal("b")] });
  const seen = [];
  const outcome = await run(post, "retry", { filter: { tag: ["x"] } }, { onProgress: (done) => seen.push(done) });
  assert.equal(outcome.done, 519);
  assert.deepEqual([...outcome.refused], [["the job is completed", 2]]);
  assert.deepEqual(seen, [499, 519]);
  const request = { path: "/v1/jobs/actions", action: "retry", names: undefined, filter: { tag: ["x"] } };
  assert.deepEqual(asked, [
    { ...request, cursor: undefined },
    { ...request, cursor: "abc" },
  ]);
});

test("a plan changes nothing, and tries out only the first of many jobs", async () => {
  const few = service({ matched: 3, done: 2, refused: [refusal("a")] });
  const exact = await plan(few.post, "cancel", { filter: {} });
  assert.deepEqual([exact.done, exact.isExact, few.asked[0].dryRun], [2, true, true]);
  const many = service({ matched: 1200, done: 499, hasMore: true, nextCursor: "abc", refused: [refusal("a")] });
  const rough = await plan(many.post, "cancel", { filter: {} });
  assert.deepEqual([rough.done, rough.isExact, many.asked.length], [1199, false, 1]);
});

test("many ids are sent in parts", async () => {
  const ids = Array.from({ length: 1001 }, (_, at) => `job-${at}`);
  const { post, asked } = service({ done: 500 }, { done: 500 }, { done: 1 });
  const outcome = await run(post, "nameSpeakers", { ids }, { names: { 0: "Rachel" } });
  assert.equal(outcome.done, 1001);
  assert.deepEqual(
    asked.map((one) => one.ids.length),
    [500, 500, 1],
  );
  assert.deepEqual(asked[2].names, { 0: "Rachel" });
});

test("the question says what would be done and what would not", () => {
  const planned = { done: 118, isExact: true, refused: new Map([["the job is completed", 2]]) };
  const asked = question("retry", planned);
  assert.equal(asked.title, "Retry 118 jobs?");
  assert.equal(asked.action, "Retry 118 jobs");
  assert.match(asked.text, /paid for again\. 2 jobs left out: the job is completed\.$/);
  assert.match(
    question("cancel", { done: 0, isExact: true, refused: planned.refused }).text,
    /^2 jobs left out: the job is completed\.$/,
  );
  assert.equal(
    question("cancel", { done: 0, isExact: true, refused: new Map() }).text,
    "No selected job can be canceled.",
  );
});

test("what was done is said in a sentence", () => {
  assert.equal(said("retry", { done: 1, refused: new Map() }), "1 job was queued again.");
  assert.equal(
    said("nameSpeakers", { done: 3, refused: new Map([["it has no result", 1]]) }),
    "3 jobs were given the names. 1 job left out: it has no result.",
  );
});
