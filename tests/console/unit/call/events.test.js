import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { byAttempt, told, viaText } from "../../web/pages/call/events.js";

const api = JSON.parse(readFileSync(new URL("../../../../docs/openapi.json", import.meta.url), "utf8"));

const event = (kind, detail = {}) => ({ seq: 1, kind, detail, at: "2026-05-01T09:30:00Z" });

test("every kind that the API names has words of its own, and others are shown by name", () => {
  const kinds = [...api.components.schemas.EventView.properties.kind.description.matchAll(/`(\w+)`[:,]/g)].map(
    ([, kind]) => kind,
  );
  assert.ok(kinds.length >= 15, kinds.join());
  for (const kind of kinds) assert.notEqual(told(event(kind)).title, kind.replaceAll("_", " "), kind);
  assert.equal(told(event("frozen_over")).title, "frozen over");
});

test("an event says why, how and with what", () => {
  assert.deepEqual(told(event("completed", { attempt: 1, via: "webhook", late: true })).facts, [
    "by webhook",
    "later than expected",
  ]);
  assert.deepEqual(told(event("delivery", { outcome: "malformed", via: "webhook", reason: "EOF" })).facts, [
    "not readable; kept in quarantine",
    "by webhook",
    "EOF",
  ]);
  assert.equal(told(event("queued", { because: "retry" })).title, "Queued again by a retry");
  assert.deepEqual(told(event("requeued", { because: "upstream", code: "503" })).facts, ["because: upstream", "503"]);
  assert.deepEqual(told(event("speakers_named", { speakerIds: ["0"] })).facts, ["1 name"]);
  assert.deepEqual(told(event("completed", { via: { odd: 1 }, late: "yes" })).facts, []);
  assert.equal(viaText("carrier"), "carrier");
});

test("only what ended well or badly stands out, and only a retry is called one", () => {
  const tones = ["completed", "failed", "requeued", "submitted", "frozen_over"].map((kind) => told(event(kind)).tone);
  assert.deepEqual(tones, ["good", "bad", "warn", "", ""]);
  assert.equal(told(event("queued")).title, "Queued");
  assert.equal(told(event("failed", { because: "retry" })).title, "Failed");
});

test("events are grouped by attempt", () => {
  const events = [
    event("queued"),
    event("submitting", { attempt: 1 }),
    event("requeued", { attempt: 1 }),
    event("submitting", { attempt: 2 }),
    event("canceled"),
  ];
  const groups = byAttempt(events).map(({ attempt, events }) => [attempt, events.length]);
  assert.deepEqual(groups, [
    [0, 1],
    [1, 2],
    [2, 2],
  ]);
});
