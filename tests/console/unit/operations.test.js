import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { age, counted } from "../web/pages/operations/ages.js";
import { beginning, formatted, visible } from "../web/pages/operations/body.js";
import { count, filterOf, replayAll, sentence } from "../web/pages/operations/replay.js";
import { sparkline, vitals } from "../web/pages/operations/vitals.js";

const stream = (...parts) => new Blob(parts).stream();

test("ages have their two largest units", () => {
  const expected = [
    [-3, "0 sec"],
    [59.9, "59 sec"],
    [60, "1 min"],
    [185, "3 min 5 sec"],
    [7800, "2 hr 10 min"],
    [86_400, "1 day"],
    [273_600, "3 days 4 hr"],
  ];
  for (const [seconds, text] of expected) assert.equal(age(Number(seconds)), text);
  assert.equal(counted(1, "job", "jobs"), "1 job");
  assert.equal(counted(0, "job", "jobs"), "0 jobs");
});

test("a body is shown as text, whatever it is", async () => {
  assert.deepEqual(await beginning(stream('{"a":1}'), ""), { text: '{"a":1}', isWhole: true, note: "" });
  assert.equal((await beginning(stream(new Uint8Array([0xff, 0x61])), "")).text, "\ufffda");
  assert.equal(visible("a\0b\x1b[1m\r\n\tc\u202ed"), "a␀b␛[1m␍\n\tc⟨U+202E⟩d");
  assert.equal(formatted('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(formatted('{"a":'), null);
});

test("only the beginning of a long body is read", async () => {
  const { text, isWhole } = await beginning(stream("x".repeat(100)), "", 10);
  assert.deepEqual([text, isWhole], ["x".repeat(10), false]);
  assert.equal((await beginning(stream("x".repeat(10)), "", 10)).isWhole, true);
  // Two bytes each: the limit lies within the third.
  assert.equal((await beginning(stream("ééé"), "", 5)).text, "éé");
});

test("a compressed body is decompressed, also if it is cut off", async () => {
  const whole = gzipSync("hello ".repeat(5000));
  const decoded = await beginning(stream(whole), "GZIP");
  assert.deepEqual([decoded.text.length, decoded.isWhole], [30_000, true]);
  const broken = await beginning(stream(whole.subarray(0, whole.length - 12)), "gzip");
  assert.match(broken.note, /cannot be decompressed any further/);
  assert.match((await beginning(stream("abc"), "br")).note, /as it was received/);
});

test("a replay continues until everything is done", async () => {
  const answers = [
    { outcomes: { accepted: 2 }, failed: 0, hasMore: true, nextCursor: "c1" },
    { outcomes: { accepted: 1, mismatch: 1 }, failed: 1, hasMore: false, nextCursor: null },
  ];
  const sent = [];
  const seen = [];
  const send = async (body) => {
    sent.push(body);
    return answers[sent.length - 1];
  };
  const options = {
    acceptMismatch: false,
    onProgress: (it) => seen.push(count(it)),
    signal: new AbortController().signal,
  };
  const done = await replayAll(send, { quarantined: true }, options);
  assert.deepEqual(
    sent.map((body) => body.filter),
    [{ quarantined: true }, { quarantined: true, cursor: "c1" }],
  );
  assert.deepEqual(seen, [2, 5]);
  assert.equal(sentence(done), "5 deliveries replayed: 3 accepted, 1 mismatch, 1 could not be stored.");
});

test("a replay that is stopped ends after its request", async () => {
  const controller = new AbortController();
  let requests = 0;
  const send = async () => {
    requests += 1;
    controller.abort();
    return { outcomes: { accepted: 1 }, failed: 0, hasMore: true, nextCursor: "c" };
  };
  await replayAll(send, {}, { acceptMismatch: false, onProgress() {}, signal: controller.signal });
  assert.equal(requests, 1);
});

test("a replay has the filter of the list", () => {
  const query = new URLSearchParams(
    "quarantined=true&outcome=malformed&outcome=mismatch&jobId=&receivedAfter=2026-05-01T00:00:00Z&delivery=x",
  );
  assert.deepEqual(filterOf(query), {
    quarantined: true,
    outcome: ["malformed", "mismatch"],
    receivedAfter: "2026-05-01T00:00:00Z",
  });
  assert.deepEqual(filterOf(new URLSearchParams()), {});
});

const WELL = {
  sampledAt: "2026-05-01T09:31:12Z",
  problems: [],
  jobs: {
    queued: { count: 0, oldestSeconds: 0 },
    submitting: { count: 0, oldestSeconds: 0 },
    submitted: { count: 2, oldestSeconds: 9 },
    unconfirmedAttempts: 0,
  },
  lastDay: { completed: 18, failed: 1 },
  deadlines: { nextSeconds: 82_800, dueWithinHour: 0, lateJobs: 0 },
  queue: { oldestDueSeconds: 0, etaSeconds: 0 },
  provider: {
    rateLimit: 10,
    rateRemaining: 3,
    penaltySeconds: 0,
    refusedAuthSeconds: 0,
    refusedUpstreamSeconds: 0,
    newestDriftAt: null,
  },
  webhook: { lastDeliveryAt: null, quarantined: 0, quarantineOldestSeconds: 0, selfTest: null },
  notifications: { backlog: 3, oldestDueSeconds: 0, stoppedEndpoints: 0 },
  database: {
    connections: 14,
    connectionsMax: 100,
    oldestTransactionSeconds: 0,
    bytes: 1,
    tables: [],
    partitionDaysAhead: 92,
  },
  retention: { overdue: [{ kind: "deliveries", seconds: 0 }] },
};
const levels = (overview) =>
  Object.fromEntries(
    vitals(overview)
      .flatMap((group) => group.vitals)
      .filter((it) => ["bad", "warn"].includes(it.level))
      .map((it) => [it.name, it.level]),
  );

test("nothing needs attention while all is well", () => {
  assert.deepEqual(levels(WELL), {});
});

test("each alarm has its number", () => {
  const changed = (part, values) => ({ ...WELL, [part]: { ...WELL[part], ...values } });
  const cases = [
    [changed("queue", { oldestDueSeconds: 301 }), { oldestDue: "bad" }],
    [
      { ...changed("queue", { oldestDueSeconds: 301 }), provider: { ...WELL.provider, penaltySeconds: 5 } },
      { penalty: "bad" },
    ],
    [changed("deadlines", { dueWithinHour: 1, lateJobs: 1 }), { deadline: "bad", late: "bad" }],
    [changed("lastDay", { failed: 2 }), { succeeded: "bad" }],
    [changed("jobs", { unconfirmedAttempts: 1 }), { unconfirmed: "warn" }],
    [changed("provider", { rateRemaining: 0 }), { gate: "warn" }],
    [changed("provider", { refusedUpstreamSeconds: 1 }), { refusals: "bad" }],
    [changed("webhook", { quarantined: 1 }), { quarantine: "bad" }],
    [
      changed("webhook", { selfTest: { isUp: false, seconds: 1, fault: "no route", testedAt: "" } }),
      { selfTest: "bad" },
    ],
    [changed("notifications", { oldestDueSeconds: 301 }), { messageDue: "bad" }],
    [changed("notifications", { stoppedEndpoints: 1 }), { stopped: "bad" }],
    [changed("database", { connections: 81 }), { connections: "bad" }],
    [changed("database", { oldestTransactionSeconds: 901 }), { transaction: "bad" }],
    [changed("database", { partitionDaysAhead: 13 }), { partitions: "bad" }],
    [{ ...WELL, retention: { overdue: [{ kind: "jobs", seconds: 10_801 }] } }, { retention: "bad" }],
  ];
  for (const [overview, expected] of cases) assert.deepEqual(levels(overview), expected);
});

test("what is ahead or past is shown as a time, which has one in UTC", () => {
  const at = (overview) =>
    Object.fromEntries(
      vitals(overview)
        .flatMap((group) => group.vitals)
        .filter((it) => it.at)
        .map((it) => [it.name, it.at]),
    );
  assert.deepEqual(at(WELL), { deadline: "2026-05-02T08:31:12.000Z" });
  assert.deepEqual(at({ ...WELL, deadlines: { ...WELL.deadlines, nextSeconds: null } }), {});
  const lastDeliveryAt = "2026-05-01T09:00:00Z";
  assert.equal(at({ ...WELL, webhook: { ...WELL.webhook, lastDeliveryAt } }).lastDelivery, lastDeliveryAt);
});

test("a line over time needs two values", () => {
  assert.equal(sparkline([1]), "");
  assert.equal(sparkline([0, 2]), "M0.0 23.0L100.0 1.0");
});
