import assert from "node:assert/strict";
import { test } from "node:test";
import { Finder, fold, hitFrom, hitsByUtterance } from "../../web/pages/call/find.js";

const found = (texts, query) => {
  const hits = new Finder(texts.map((text) => ({ text }))).find(query);
  return hits.map(({ utterance, from, to }) => [utterance, texts[utterance].slice(from, to)]);
};

test("all occurrences are found, whatever their case, accents and white space", () => {
  assert.deepEqual(found(["Refund the REFUND", "no", "a refund."], " refund "), [
    [0, "Refund"],
    [0, "REFUND"],
    [2, "refund"],
  ]);
  assert.deepEqual(found(["Café, CAFÉ, cafe\u0301 and cafe"], "cafe"), [
    [0, "Café"],
    [0, "CAFÉ"],
    [0, "cafe\u0301"],
    [0, "cafe"],
  ]);
  assert.deepEqual(found(["Crème brûlée"], "BRÛLEE"), [[0, "brûlée"]]);
  assert.deepEqual(found(["double\u00a0 charge\ndouble charge"], "double   charge"), [[0, "double charge"]]);
  assert.deepEqual(found(["double\u00a0charge"], "double charge"), [[0, "double\u00a0charge"]]);
});

test("hits are whole characters of the text, whatever their length", () => {
  assert.deepEqual(found(["🙂🙂 ok 🙂"], "🙂"), [
    [0, "🙂"],
    [0, "🙂"],
    [0, "🙂"],
  ]);
  assert.deepEqual(found(["the ﬁrst"], "f"), [[0, "ﬁ"]]);
  assert.deepEqual(found(["İstanbul, istanbul"], "istanbul"), [
    [0, "İstanbul"],
    [0, "istanbul"],
  ]);
  assert.deepEqual(found(["שלום עולם"], "עולם"), [[0, "עולם"]]);
  assert.deepEqual(found(["aaaa"], "aa"), [
    [0, "aa"],
    [0, "aa"],
  ]);
});

test("a query is text, not a pattern, and an empty one finds nothing", () => {
  assert.deepEqual(found(["1.5 or 125?", "<b>"], "1.5"), [[0, "1.5"]]);
  assert.deepEqual(found(["<b>bold</b>"], "<B>"), [[0, "<b>"]]);
  assert.deepEqual(found(["something"], "  "), []);
  assert.deepEqual(found(["something"], "\u0301"), []);
});

test("plain texts need no places", () => {
  assert.deepEqual(fold("Plain Text"), { text: "plain text", places: null });
  assert.equal(fold("Ünplain").text, "unplain");
});

test("hits are counted by utterance, and the next one is known", () => {
  const hits = [0, 0, 4].map((utterance) => ({ utterance, from: 0, to: 1 }));
  assert.deepEqual(
    [...hitsByUtterance(hits)].map(([utterance, own]) => [utterance, own.map(({ index }) => index)]),
    [
      [0, [0, 1]],
      [4, [2]],
    ],
  );
  assert.deepEqual(
    [0, 1, 4, 5].map((utterance) => hitFrom(hits, utterance)),
    [0, 2, 2, 0],
  );
  assert.equal(hitFrom([], 0), -1);
});

test("12,000 utterances are searched within a fraction of a second", () => {
  const texts = Array.from({ length: 12_000 }, (_, index) => `Utterance ${index} is about the refund and the café.`);
  const finder = new Finder(texts.map((text) => ({ text })));
  const began = performance.now();
  assert.equal(finder.find("cafe").length, 12_000);
  assert.equal(finder.find("utterance 119").length, 111);
  assert.ok(performance.now() - began < 2000);
});
