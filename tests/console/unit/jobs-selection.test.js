import assert from "node:assert/strict";
import { test } from "node:test";
import { EVERYTHING, isSelected, NOTHING, toggle, togglePage } from "../web/pages/jobs/selection.js";

const order = ["a", "b", "c", "d", "e"];
const ids = (selection) => [...selection.ids].sort().join("");

test("a click selects one row, another deselects it", () => {
  const one = toggle(NOTHING, order, "b", false);
  assert.equal(ids(one), "b");
  assert.equal(ids(toggle(one, order, "b", false)), "");
});

test("shift selects from the last click to here, in either direction", () => {
  const anchored = toggle(NOTHING, order, "d", false);
  assert.equal(ids(toggle(anchored, order, "b", true)), "bcd");
  assert.equal(ids(toggle(toggle(NOTHING, order, "a", false), order, "c", true)), "abc");
  const all = togglePage(NOTHING, order);
  assert.equal(ids(toggle(toggle(all, order, "b", false), order, "d", true)), "ae", "and deselects likewise");
});

test("shift without a click before selects one row", () => {
  assert.equal(ids(toggle(NOTHING, order, "c", true)), "c");
  const elsewhere = toggle(NOTHING, ["x"], "x", false);
  assert.equal(ids(toggle(elsewhere, order, "c", true)), "cx", "nor does a click on another page");
});

test("the page's box selects its rows, then none of them, and leaves other pages", () => {
  const elsewhere = toggle(NOTHING, ["x"], "x", false);
  const both = togglePage(elsewhere, order);
  assert.equal(ids(both), "abcdex");
  assert.equal(ids(togglePage(both, order)), "x");
  assert.equal(ids(togglePage(toggle(elsewhere, order, "b", false), order)), "abcdex");
});

test("all that match are selected until one is taken out", () => {
  assert.ok(isSelected(EVERYTHING, "anything"));
  assert.equal(ids(toggle(EVERYTHING, order, "c", false)), "abde");
  assert.equal(togglePage(EVERYTHING, order), NOTHING);
});
