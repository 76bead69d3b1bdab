import assert from "node:assert/strict";
import { test } from "node:test";
import { CHUNK, chunksOf, timesOf } from "../../web/pages/call/details.js";

test("a range of utterances is in the chunks that hold its ends and those between", () => {
  assert.deepEqual(chunksOf(0, 0, 10), [0]);
  assert.deepEqual(chunksOf(CHUNK - 1, CHUNK, 1000), [0, 1]);
  assert.deepEqual(chunksOf(-5, 5000, 401), [0, 1, 2]);
  assert.deepEqual(chunksOf(3, 2, 10), []);
  assert.deepEqual(chunksOf(0, 5, 0), []);
});

test("the times of a chunk include every utterance of it, in whatever order they are", () => {
  const utterances = Array.from({ length: 500 }, (_, seq) => ({
    seq,
    start: (seq * 7) % 500,
    end: ((seq * 7) % 500) + 3,
  }));
  for (const chunk of [0, 1, 2]) {
    const { from, to } = timesOf(utterances, chunk);
    const own = utterances.slice(chunk * CHUNK, (chunk + 1) * CHUNK);
    assert.ok(own.every(({ start, end }) => (start >= from || end > from) && start < to));
  }
  const still = timesOf([{ seq: 0, start: 0, end: 0 }], 0);
  assert.ok(still.to > still.from);
});
