import assert from "node:assert/strict";
import { test } from "node:test";
import { changedQuery, withQuery } from "../web/lib/query.js";

test("arrays repeat, and what is empty is left out", () => {
  const params = {
    status: ["failed", "timed_out"],
    tag: [],
    q: "",
    cursor: null,
    sort: undefined,
    limit: 0,
    isNew: false,
  };
  assert.equal(withQuery("/v1/jobs", params), "/v1/jobs?status=failed&status=timed_out&limit=0&isNew=false");
});

test("a path without parameters stays as it is, and one with a query keeps it", () => {
  assert.equal(withQuery("/v1/jobs", { tag: "" }), "/v1/jobs");
  assert.equal(withQuery("/v1/jobs?limit=5", { tag: "a&b=c" }), "/v1/jobs?limit=5&tag=a%26b%3Dc");
});

test("changes replace all values of a parameter and leave the others", () => {
  const query = new URLSearchParams("tag=a&tag=b&sort=createdAt");
  assert.equal(changedQuery(query, { tag: ["c"] }).toString(), "sort=createdAt&tag=c");
  assert.equal(changedQuery(query, { tag: [], sort: null }).toString(), "");
  assert.equal(query.toString(), "tag=a&tag=b&sort=createdAt");
});
