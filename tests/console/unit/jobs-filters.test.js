import assert from "node:assert/strict";
import { test } from "node:test";
import { changedQuery, withQuery } from "../web/lib/query.js";
import { inWords, JOB_FIELDS, toParams, withoutFilters } from "../web/pages/jobs/filters.js";

const read = (query) => toParams(new URLSearchParams(query), JOB_FIELDS);

test("a URL becomes the parameters of a request", () => {
  const params = read("tag=support&tag=north&status=failed&externalId=call-1&sort=createdAt&cursor=abc&unknown=1");
  assert.deepEqual(params, { status: ["failed"], tag: ["support", "north"], externalId: "call-1" });
});

test("empty and repeated values are left out, and what cannot repeat has the last", () => {
  assert.deepEqual(read("tag=&tag=a&tag=a&externalId="), { tag: ["a"] });
  assert.deepEqual(read("language=en-GB&language=en-US"), { language: "en-US" });
});

test("values that need escaping come back as they were", () => {
  const tag = "a&b=c +ä‮<b>";
  const url = withQuery("/console/jobs", { tag: [tag] });
  assert.deepEqual(read(url.split("?")[1]), { tag: [tag] });
});

test("all filters can be removed, and nothing else is", () => {
  const query = new URLSearchParams("tag=a&tag=b&minSpeakers=3&sort=createdAt");
  assert.equal(changedQuery(query, withoutFilters(JOB_FIELDS)).toString(), "sort=createdAt");
});

test("names of the API become words", () => {
  assert.deepEqual(["timed_out", "CallCenter", "queued", ""].map(inWords), ["Timed out", "Call center", "Queued", ""]);
});
