import assert from "node:assert/strict";
import { test } from "node:test";
import { random } from "../../made/random.js";
import { Heights, rowsBetween } from "../../web/pages/call/heights.js";

test("offsets and rows are those that adding up gives, whatever is measured in between", () => {
  const next = random(3);
  for (const count of [1, 2, 3, 7, 8, 100]) {
    const plain = Array.from({ length: count }, () => 1 + Math.floor(next() * 50));
    const heights = new Heights(count, (index) => plain[index]);
    for (let round = 0; round < 50; round++) {
      const index = Math.floor(next() * count);
      const height = 1 + Math.floor(next() * 90);
      assert.equal(heights.measure(index, height), height - plain[index]);
      plain[index] = height;
      const offsets = plain.map((_, row) => plain.slice(0, row).reduce((sum, one) => sum + one, 0));
      assert.deepEqual(
        plain.map((_, row) => heights.offsetOf(row)),
        offsets,
      );
      const total = plain.reduce((sum, one) => sum + one, 0);
      assert.equal(heights.total, total);
      const offset = next() * total;
      assert.equal(
        heights.indexAt(offset),
        offsets.findLastIndex((top) => top <= offset),
      );
      assert.equal(heights.indexAt(offsets[index]), index);
    }
  }
});

test("beyond the ends are the first and the last row", () => {
  const heights = new Heights(10, () => 20);
  assert.equal(heights.indexAt(-5), 0);
  assert.equal(heights.indexAt(9999), 9);
  assert.equal(heights.offsetOf(99), 200);
});

test("rows are drawn for what is visible and a margin, and none of an empty list", () => {
  const heights = new Heights(1000, () => 10);
  assert.deepEqual(rowsBetween(heights, 1000, 1500, 100), [90, 161]);
  assert.deepEqual(rowsBetween(heights, 0, 500, 100), [0, 61]);
  // From the first row on, even if that is lower than a pixel.
  assert.deepEqual(rowsBetween(new Heights(3, () => 0.5), 0, 1, 0), [0, 3]);
  assert.deepEqual(rowsBetween(new Heights(0, () => 10), 0, 500, 100), [0, 0]);
});
