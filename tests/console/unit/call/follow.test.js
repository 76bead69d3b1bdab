import assert from "node:assert/strict";
import { test } from "node:test";
import { Follow, scrollFor } from "../../web/pages/call/follow.js";

test("following stops when the reader scrolls, and goes on when the reader asks for it", () => {
  const said = [];
  const follow = new Follow((isOn) => said.push(isOn));
  follow.expect(100);
  follow.scrolled(100.4);
  assert.ok(follow.isOn);
  follow.scrolled(140);
  assert.ok(!follow.isOn);
  follow.scrolled(160);
  follow.resume();
  assert.ok(follow.isOn);
  assert.deepEqual(said, [false, true]);
});

test("movements of the page that the browser reports at once are one, and may be reported again", () => {
  const follow = new Follow();
  follow.expect(100);
  follow.expect(200);
  follow.scrolled(200);
  follow.scrolled(200);
  assert.ok(follow.isOn);
  // The first expectation is over: being at 100 again is the reader's doing.
  follow.scrolled(100);
  assert.ok(!follow.isOn);
});

test("an expectation that a later one has overtaken does not hide what the reader does", () => {
  const follow = new Follow();
  follow.expect(100);
  follow.expect(200);
  follow.expect(300);
  follow.scrolled(200);
  follow.scrolled(300);
  assert.ok(follow.isOn);
  assert.deepEqual(follow.expected, []);
});

test("a nudge by the browser is not the reader's wish, but many small movements are", () => {
  const follow = new Follow();
  follow.expect(1000);
  follow.scrolled(1000);
  follow.scrolled(1032);
  assert.ok(follow.isOn);
  follow.scrolled(1020);
  follow.scrolled(1033);
  assert.ok(!follow.isOn);
  // After the reader has asked for it, movements count from there.
  follow.resume();
  follow.scrolled(1040);
  assert.ok(follow.isOn);
});

test("a row that can be read is left where it is", () => {
  const view = { top: 1000, height: 400 };
  assert.equal(scrollFor({ top: 1100, height: 50 }, view), null);
  assert.equal(scrollFor({ top: 1290, height: 50 }, view), 1210);
  assert.equal(scrollFor({ top: 900, height: 50 }, view), 820);
  assert.equal(scrollFor({ top: 10, height: 50 }, view), 0);
  assert.equal(scrollFor({ top: 1000, height: 300 }, view), null);
  assert.equal(scrollFor({ top: 1001, height: 300 }, view), null);
  assert.equal(scrollFor({ top: 1101, height: 200 }, view), 1021);
  // A row that is higher than the view is shown from its beginning.
  assert.equal(scrollFor({ top: 1050, height: 4000 }, view), null);
});
