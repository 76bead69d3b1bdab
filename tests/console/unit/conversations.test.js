import assert from "node:assert/strict";
import { test } from "node:test";

import { addDays, before, daysBetween, isDay, mondayOf, starts, within } from "../web/pages/conversations/days.js";
import { edges, ignored, requests, shown } from "../web/pages/conversations/filters.js";
import { change, measure } from "../web/pages/conversations/measures.js";
import { aligned, risen, shares, stacked, total } from "../web/pages/conversations/series.js";

test("days are those of the calendar", () => {
  assert.equal(isDay("2024-02-29"), true);
  for (const text of [null, "", "2026-02-29", "2026-13-01", "2026-1-1", "2026-05-01T00:00"])
    assert.equal(isDay(text), false);
  assert.equal(addDays("2026-02-27", 3), "2026-03-02");
  assert.equal(addDays("2026-01-01", -1), "2025-12-31");
  // Days on which clocks change in many zones are as long as others in UTC.
  assert.equal(daysBetween("2026-03-28", "2026-03-30"), 2);
});

test("weeks begin on Monday", () => {
  assert.equal(mondayOf("2026-05-04"), "2026-05-04");
  assert.equal(mondayOf("2026-05-10"), "2026-05-04");
  assert.deepEqual(starts("2026-04-30", "2026-05-12", "week"), ["2026-04-27", "2026-05-04", "2026-05-11"]);
  assert.deepEqual(starts("2026-04-30", "2026-05-02", "day"), ["2026-04-30", "2026-05-01"]);
});

test("a bucket at the edge has only the days of the range", () => {
  const range = { from: "2026-04-30", to: "2026-05-12" };
  assert.deepEqual(within("2026-04-27", "week", range), { from: "2026-04-30", to: "2026-05-04" });
  assert.deepEqual(within("2026-05-11", "week", range), { from: "2026-05-11", to: "2026-05-12" });
  assert.deepEqual(within("2026-05-01", "day", range), { from: "2026-05-01", to: "2026-05-02" });
  assert.deepEqual(before(range), { from: "2026-04-18", to: "2026-04-30" });
});

test("buckets without jobs are zero for sums and gaps for averages", () => {
  const days = ["2026-05-01", "2026-05-02", "2026-05-03"];
  const points = [
    { start: "2026-05-01", measures: { jobs: 4, completed: 4, questions: 6 } },
    { start: "2026-05-03", measures: { jobs: 1, completed: 0, questions: 0 } },
  ];
  assert.deepEqual(aligned(points, days, measure("jobs").of, 0), [4, 0, 1]);
  assert.deepEqual(aligned(points, days, measure("questions").of, null), [1.5, null, null]);
});

test("stacks and shares add up", () => {
  assert.deepEqual(
    stacked([
      [1, 2],
      [3, null],
    ]),
    [
      [1, 2],
      [4, 2],
    ],
  );
  assert.deepEqual(
    stacked([
      [1, null],
      [3, null],
    ]),
    [
      [1, null],
      [4, null],
    ],
  );
  assert.deepEqual(
    shares([
      [1, 0],
      [3, 0],
    ]),
    [
      [0.25, null],
      [0.75, null],
    ],
  );
  assert.deepEqual(
    total([
      { jobs: 2, words: 10 },
      { jobs: 3, words: null },
    ]),
    { jobs: 5, words: 10 },
  );
  assert.deepEqual(stacked([]), []);
  assert.deepEqual(shares([]), []);
});

test("a change needs something to compare with", () => {
  assert.equal(change(150, 100), 0.5);
  assert.equal(change(150, 0), null);
  assert.equal(change(null, 100), null);
});

test("a value that did not occur earlier is new only if all earlier values are known", () => {
  const now = [
    { group: "refund", measures: { completed: 6 } },
    { group: "billing", measures: { completed: 2 } },
  ];
  const then = [{ group: "refund", measures: { completed: 4 } }];
  assert.deepEqual(risen(now, then, true), [
    { value: "refund", count: 6, rise: 0.5, isNew: false },
    { value: "billing", count: 2, rise: null, isNew: true },
  ]);
  assert.equal(risen(now, then, false)[1].isNew, false);
});

test("measures are computed from sums", () => {
  const sums = { jobs: 3, completed: 2, durationSeconds: 240, talkSeconds: 180, words: 450, questions: 3 };
  assert.equal(measure("talk").of(sums), 0.75);
  assert.equal(measure("pace").of(sums), 150);
  assert.equal(measure("length").of(sums), 120);
  assert.equal(measure("pace").of({ jobs: 1, completed: 0, talkSeconds: 0, words: 0 }), null);
  assert.throws(() => measure("mood"));
});

test("the URL says what is shown, and nonsense in it is ignored", () => {
  const usual = shown(new URLSearchParams(), "2026-05-30");
  assert.deepEqual([usual.from, usual.to, usual.days, usual.bucket], ["2026-05-01", "2026-05-31", 30, "day"]);
  const year = shown(new URLSearchParams("days=365"), "2026-05-30");
  // A Saturday; the week begins before it.
  assert.deepEqual([year.from, year.bucket], ["2025-05-26", "week"]);
  assert.equal(shown(new URLSearchParams("days=90&split=tag"), "2026-05-30").bucket, "week");
  const range = shown(new URLSearchParams("from=2026-01-01&to=2026-02-01&bucket=week&split=language"), "2026-05-30");
  assert.deepEqual(
    [range.from, range.to, range.days, range.bucket, range.split],
    ["2026-01-01", "2026-02-01", null, "week", "language"],
  );
  for (const bad of [
    "from=2026-02-01&to=2026-01-01",
    "from=x&to=y",
    "from=2020-01-01&to=2026-01-01",
    "days=8&bucket=hour&split=mood",
  ]) {
    const it = shown(new URLSearchParams(bad), "2026-05-30");
    assert.deepEqual([it.days, it.bucket, it.split], [30, "day", ""], bad);
  }
});

test("only combinations that the API answers are requested", () => {
  const query = new URLSearchParams("tag=vip&language=de-DE&audioType=Meeting&split=tag");
  const asked = requests(shown(query, "2026-05-30"));
  assert.equal(asked.emotions.tag, undefined);
  assert.equal(asked.emotions.language, "de-DE");
  for (const name of ["tag", "language", "audioType"]) assert.equal(name in asked.insights, false);
  assert.equal(asked.tag.tag, undefined);
  assert.equal(asked.tag.language, "de-DE");
  assert.equal(asked.split?.tag, undefined);
  assert.equal(requests(shown(new URLSearchParams(), "2026-05-30")).split, null);
});

test("a chart says which filters it does not follow", () => {
  const it = shown(new URLSearchParams("tag=vip&language=de-DE"), "2026-05-30");
  assert.deepEqual(ignored("emotions", it), ["tag"]);
  assert.deepEqual(ignored("insights", it), ["tag", "language"]);
});

test("days and weeks that are not over are mentioned", () => {
  const today = "2026-05-30";
  assert.equal(edges(shown(new URLSearchParams(), today), today).length, 1);
  assert.deepEqual(edges(shown(new URLSearchParams("from=2026-05-04&to=2026-05-18&bucket=week"), today), today), []);
  assert.equal(edges(shown(new URLSearchParams("from=2026-05-05&to=2026-05-18&bucket=week"), today), today).length, 1);
});
