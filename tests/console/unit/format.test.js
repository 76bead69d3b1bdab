import assert from "node:assert/strict";
import { test } from "node:test";
import { absoluteTime, bytes, duration, number, percent, relativeTime, utc } from "../web/lib/format.js";

test("durations have hours only if there are any", () => {
  assert.equal(duration(0), "0:00");
  assert.equal(duration(48.9), "0:48");
  assert.equal(duration(3599.99), "59:59");
  assert.equal(duration(3723), "1:02:03");
  assert.equal(duration(36000), "10:00:00");
  assert.equal(duration(-1), "0:00");
});

test("numbers are grouped and rounded", () => {
  assert.equal(number(1234567.891), "1,234,567.89");
  assert.equal(percent(0.64932), "64.9%");
  assert.equal(percent(1), "100%");
});

test("bytes are in the unit that fits", () => {
  assert.equal(bytes(0), "0 byte");
  assert.equal(bytes(999), "999 byte");
  assert.equal(bytes(1536), "1.5 kB");
  assert.equal(bytes(4_200_000_000_000_000), "4,200 TB");
});

test("times are in the reader's zone, and name the year if it is another one", () => {
  const at = new Date("2026-05-01T09:30:00Z");
  assert.match(absoluteTime(at, new Date("2026-11-29T00:00:00Z")), /^May 1, 9:30\sAM$/);
  assert.match(absoluteTime(at, new Date("2027-01-02T00:00:00Z")), /^May 1, 2026, 9:30\sAM$/);
  assert.equal(utc(at), "2026-05-01 09:30:00 UTC");
});

test("relative times are in the largest unit that fits", () => {
  const now = new Date("2026-05-01T12:00:00Z");
  const ago = (/** @type {number} */ seconds) => relativeTime(new Date(now.getTime() - seconds * 1000), now);
  assert.equal(ago(0), "now");
  assert.equal(ago(59), "59 seconds ago");
  assert.equal(ago(119), "1 minute ago");
  assert.equal(ago(-7200), "in 2 hours");
  assert.equal(ago(86400), "yesterday");
  assert.equal(ago(400 * 86400), "last year");
});
