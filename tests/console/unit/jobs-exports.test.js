import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf } from "../web/pages/jobs/exports.js";

/** @type {Record<string, any>} */
const ANSWERS = {
  "/v1/jobs/a": { id: "a", state: "completed", externalId: "call-a", links: { self: "/v1/jobs/a" } },
  "/v1/jobs/b": { id: "b", state: "failed", externalId: null, links: { self: "/v1/jobs/b" } },
  "/v1/jobs/a/utterances": { data: [{ seq: 0, text: "Hello." }], nextCursor: "more" },
  "/v1/jobs/a/utterances more": { data: [{ seq: 1, text: "Bye.\n" }], nextCursor: null },
};

/** @param {string} path @param {Record<string, any>} [params] */
const get = async (path, params) => ANSWERS[params?.cursor ? `${path} ${params.cursor}` : path];

test("selected jobs are exported as the service exports them, one a line, without links", async () => {
  /** @type {number[]} */
  const seen = [];
  const lines = await linesOf(get, "jobs", ["a", "b"], (done) => seen.push(done));
  assert.equal(
    lines.join(""),
    '{"id":"a","state":"completed","externalId":"call-a"}\n{"id":"b","state":"failed","externalId":null}\n',
  );
  assert.deepEqual(seen, [0, 1]);
});

test("what was said is read to its end, and nothing was said in a failed job", async () => {
  const lines = await linesOf(get, "utterances", ["a", "b"], () => {});
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [
      { jobId: "a", externalId: "call-a", seq: 0, text: "Hello." },
      { jobId: "a", externalId: "call-a", seq: 1, text: "Bye.\n" },
    ],
  );
  assert.ok(lines.every((line) => line.indexOf("\n") === line.length - 1));
});
