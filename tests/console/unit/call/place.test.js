import assert from "node:assert/strict";
import { test } from "node:test";
import { random } from "../../made/random.js";
import { Places, wordAt, wordAtOffset, wordRanges, wordsOf } from "../../web/pages/call/place.js";

test("the utterance at a time is the one that began last of those that are heard", () => {
  const next = random(7);
  for (let round = 0; round < 200; round++) {
    const utterances = Array.from({ length: 1 + Math.floor(next() * 12) }, () => {
      const start = Math.floor(next() * 30);
      return { start, end: start + Math.floor(next() * 8) };
    });
    const places = new Places(utterances);
    for (let seconds = -1; seconds < 40; seconds += 0.5) {
      const begun = utterances.map((_, index) => index).filter((index) => utterances[index].start <= seconds);
      const heard = begun.filter((index) => utterances[index].end > seconds);
      const candidates = heard.length > 0 ? heard : begun;
      const latest = Math.max(...candidates.map((index) => utterances[index].start));
      const found = places.at(seconds);
      if (candidates.length === 0) assert.equal(found, -1);
      else
        assert.ok(
          candidates.includes(found) && utterances[found].start === latest,
          JSON.stringify({ utterances, seconds, found }),
        );
      const later = utterances.filter(({ start }) => start > seconds).map(({ start }) => start);
      const after = places.after(seconds);
      assert.equal(after < 0 ? undefined : utterances[after].start, later.length > 0 ? Math.min(...later) : undefined);
    }
    assert.equal(places.end, Math.max(...utterances.map(({ end }) => end)));
  }
  assert.equal(new Places([]).at(3), -1);
  assert.equal(new Places([]).end, 0);
});

test("of utterances that begin together, the longest is heard to its end", () => {
  const places = new Places([
    { start: 1, end: 9 },
    { start: 1, end: 3 },
    { start: 1, end: 5 },
  ]);
  assert.deepEqual(
    [1, 4, 5, 8.9].map((seconds) => places.at(seconds)),
    [0, 0, 0, 0],
  );
  assert.deepEqual(places.order, [1, 2, 0]);
  assert.equal(new Places([{ start: 0, end: 0.5 }]).end, 0.5);
});

test("the word at a time is the last one that was begun", () => {
  const words = [1, 2, 2, 5].map((start) => ({ word: "x", start, end: start + 0.5 }));
  assert.deepEqual(
    [0, 1, 1.9, 2, 4.9, 5, 99].map((seconds) => wordAt(words, seconds)),
    [-1, 0, 0, 2, 2, 3, 3],
  );
});

test("only timings of words that can be used are", () => {
  const good = { word: "hi", start: 0, end: 1 };
  assert.deepEqual(wordsOf([good, null, 5, { word: "hi", start: "0", end: 1 }, { word: 3, start: 0, end: 1 }]), [good]);
  assert.deepEqual(wordsOf(undefined), []);
  assert.deepEqual(wordsOf({ length: 1 }), []);
});

test("words are found in the text, in their order", () => {
  const at = (word) => ({ word, start: 0, end: 0 });
  const text = "The the THE end, İstanbul 🙂 end";
  assert.deepEqual(wordRanges("No, the invoice", ["no", "the", "missing", "invoice"].map(at)), [
    [0, 2],
    [4, 7],
    null,
    [8, 15],
  ]);
  assert.deepEqual(wordRanges(text, ["The", "the", "THE", "end", "end"].map(at)), [
    [0, 3],
    [4, 7],
    [8, 11],
    [12, 15],
    [29, 32],
  ]);
  assert.deepEqual(wordRanges(`${"x".repeat(200)} far`, [at("far"), at("")]), [null, null]);
});

test("the word at a character is the one that contains it, or the one before", () => {
  /** @type {([number, number] | null)[]} */
  const ranges = [[0, 2], null, [4, 7]];
  assert.deepEqual(
    [0, 1, 3, 4, 9].map((offset) => wordAtOffset(ranges, offset)),
    [0, 0, 0, 2, 2],
  );
  assert.equal(wordAtOffset([[3, 4]], 1), -1);
});
