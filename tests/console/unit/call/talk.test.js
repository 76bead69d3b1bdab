import assert from "node:assert/strict";
import { test } from "node:test";
import { balanceOf, bucketFor, insightOf } from "../../web/pages/call/talk.js";

test("buckets are round, accepted by the API, and few", () => {
  assert.deepEqual([0, 48, 240, 241, 2880, 10_800, 86_400, 1e9].map(bucketFor), [5, 5, 5, 10, 60, 240, 1800, 3600]);
});

test("a bar has a part for each speaker who talks, and they fill it", () => {
  const buckets = [
    { start: 0, speakers: [{ speakerId: "a", talkSeconds: 3 }] },
    {
      start: 20,
      speakers: [
        { speakerId: "b", talkSeconds: 1 },
        { speakerId: "a", talkSeconds: 3 },
      ],
    },
  ];
  assert.deepEqual(balanceOf(buckets, ["a", "b"], 10, 25), [
    { start: 0, end: 10, parts: [{ speakerId: "a", from: 0, to: 1 }] },
    { start: 10, end: 20, parts: [] },
    {
      start: 20,
      end: 25,
      parts: [
        { speakerId: "a", from: 0, to: 0.75 },
        { speakerId: "b", from: 0.75, to: 1 },
      ],
    },
  ]);
  assert.deepEqual(balanceOf([], ["a"], 10, 0), []);
});

test("an insight about a speaker is found by its name", () => {
  const speaker = { insights: [{ name: "Energy", value: "61" }] };
  assert.equal(insightOf(speaker, "Energy")?.value, "61");
  assert.equal(insightOf(speaker, "Pace"), undefined);
});
