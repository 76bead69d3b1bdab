import assert from "node:assert/strict";
import { test } from "node:test";
import { groupsOf, momentOf } from "../web/pages/search/hits.js";

/** As much of a hit as matters here. @param {string} jobId @param {number} seq @param {string} [externalId] @returns {any} */
const hit = (jobId, seq, externalId) => ({ jobId, seq, externalId, createdAt: `at ${jobId}`, start: seq * 1.005 });

test("hits that follow one another in a call stand under its name, in the order of the service", () => {
  const groups = groupsOf([hit("a", 1, "call-a"), hit("a", 5, "call-a"), hit("b", 2), hit("a", 9, "call-a")]);
  assert.deepEqual(
    groups.map(({ job, hits }) => `${job}${hits.map(({ seq }) => seq)}`),
    ["a1,5", "b2", "a9"],
  );
  assert.deepEqual(
    groups.map(({ externalId }) => externalId),
    ["call-a", null, "call-a"],
  );
  assert.deepEqual(
    groups.map(({ at }) => at),
    ["at a", "at b", "at a"],
  );
  assert.deepEqual(groupsOf([]), []);
});

test("a hit leads to its moment in the call", () => {
  assert.equal(momentOf({ jobId: "a", start: 83.204 }), "/console/jobs/a#t=83.2");
  assert.equal(momentOf({ jobId: "a", start: 0 }), "/console/jobs/a#t=0");
});
