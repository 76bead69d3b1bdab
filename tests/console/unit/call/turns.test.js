import assert from "node:assert/strict";
import { test } from "node:test";
import { turnOf, turnsOf } from "../../web/pages/call/turns.js";

const said = (speakerId, start, end, text = "so it is") => ({ seq: 0, speakerId, start, end, text });

test("a turn is what one speaker says without a pause", () => {
  const utterances = [
    said("a", 0, 2),
    said("a", 2.5, 4),
    said("b", 4, 5),
    said("b", 7, 8),
    said(null, 8, 9),
    said(undefined, 9, 9),
  ];
  const ranges = turnsOf(utterances).map(({ first, last, speakerId }) => [first, last, speakerId]);
  assert.deepEqual(ranges, [
    [0, 1, "a"],
    [2, 2, "b"],
    [3, 3, "b"],
    [4, 5, null],
  ]);
});

test("a monologue is divided, but no utterance is", () => {
  const utterances = Array.from({ length: 100 }, (_, index) => said("a", index, index + 1, "x".repeat(100)));
  const turns = turnsOf([...utterances, said("a", 100, 101, "y".repeat(10_000))]);
  assert.ok(turns.slice(0, -1).every(({ length }) => length <= 606));
  assert.equal(turns.at(-1)?.length, 10_000);
  assert.equal(
    turns.reduce((sum, { first, last }) => sum + last - first + 1, 0),
    101,
  );
});

test("a turn ends at its greatest length and at a pause of a second and a half, not before", () => {
  const words = (first, second) => turnsOf([said("a", 0, 1, "x".repeat(first)), said("a", 1, 2, "y".repeat(second))]);
  // A space stands between the two.
  assert.deepEqual(
    words(300, 299).map(({ length }) => length),
    [600],
  );
  assert.equal(words(300, 301).length, 2);
  assert.equal(words(300, 300).length, 1);
  const pause = (seconds) => turnsOf([said("a", 0, 1), said("a", 1 + seconds, 4)]).length;
  assert.deepEqual([1.25, 1.5].map(pause), [1, 2]);
});

test("every utterance is found in its turn", () => {
  const utterances = Array.from({ length: 57 }, (_, index) => said(String(index % 7 < 3), index, index + 1));
  const turns = turnsOf(utterances);
  utterances.forEach((_, index) => {
    const { first, last } = turns[turnOf(turns, index)];
    assert.ok(first <= index && index <= last);
  });
  assert.deepEqual(turnsOf([]), []);
});
