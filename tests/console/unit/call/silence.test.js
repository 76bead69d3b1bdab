import assert from "node:assert/strict";
import { test } from "node:test";
import { afterSilence, silencesOf } from "../../web/pages/call/silence.js";

const utterances = [
  { start: 12, end: 13 },
  { start: 2, end: 5 },
  { start: 3, end: 8 },
  { start: 9, end: 10 },
];

test("silences are where nobody speaks for a while, including the beginning and the end", () => {
  assert.deepEqual(silencesOf(utterances, 20), [
    { start: 0, end: 2 },
    { start: 10, end: 12 },
    { start: 13, end: 20 },
  ]);
  assert.deepEqual(silencesOf([], 20), [{ start: 0, end: 20 }]);
  assert.deepEqual(silencesOf([], 1), []);
  assert.deepEqual(silencesOf(utterances, 13.5), [
    { start: 0, end: 2 },
    { start: 10, end: 12 },
  ]);
});

test("playing goes on shortly before the next words, and only from within a silence", () => {
  const silences = silencesOf(utterances, 20);
  const jumps = [0, 0.3, 1.8, 3, 10, 10.2, 10.3, 11.7, 11.75, 12.5, 14].map((seconds) =>
    afterSilence(silences, seconds),
  );
  assert.deepEqual(jumps, [null, 1.75, null, null, null, null, 11.75, 11.75, null, null, 19.75]);
  assert.equal(afterSilence([], 3), null);
});

test("a pause of a second and a half is a silence, and is skipped a quarter of a second after it began", () => {
  const spoken = [
    { start: 1.5, end: 2 },
    { start: 3.5, end: 4 },
  ];
  const silences = silencesOf(spoken, 5.5);
  assert.deepEqual(
    silences.map(({ start }) => start),
    [0, 2, 4],
  );
  assert.deepEqual(
    [2.2, 2.25].map((seconds) => afterSilence(silences, seconds)),
    [null, 3.25],
  );
});

test("skipping never repeats itself", () => {
  const silences = silencesOf(utterances, 20);
  for (let seconds = 0; seconds < 20; seconds += 0.05) {
    const next = afterSilence(silences, seconds);
    if (next !== null) {
      assert.ok(next > seconds);
      assert.equal(afterSilence(silences, next), null);
    }
  }
});
