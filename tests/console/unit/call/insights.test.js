import assert from "node:assert/strict";
import { test } from "node:test";
import { assigneeOf, byName, markersOf, momentOfInsight, phrasesOf, spaced } from "../../web/pages/call/insights.js";

const insight = (name, value, start, more = {}) => ({ name, seq: 0, value, start, end: start, evidence: [], ...more });
const moment = (found) => momentOfInsight(found, (seq) => (seq === 4 ? { start: 40, end: 41 } : undefined));

test("summaries come first, unknown names last", () => {
  const names = ["Zeal", "KeyPhrases", "Titles", "AbstractiveSummaryShort", "Topics"];
  const found = byName(names.map((name) => insight(name, "x", 0)));
  assert.deepEqual([...found.keys()], ["AbstractiveSummaryShort", "Topics", "KeyPhrases", "Titles", "Zeal"]);
  assert.equal(spaced("NextStepsOfÜbung"), "Next Steps Of Übung");
});

test("an insight without times has those of its first evidence, or none", () => {
  assert.deepEqual(moment(insight("Tasks", "x", 3, { end: 5 })), { start: 3, end: 5 });
  assert.deepEqual(moment(insight("Tasks", "x", 3, { end: null })), { start: 3, end: 3 });
  assert.deepEqual(moment(insight("Tasks", "x", null, { evidence: [4, 5] })), { start: 40, end: 41 });
  assert.equal(moment(insight("Tasks", "x", null, { evidence: [5] })), null);
  assert.equal(moment(insight("Tasks", "x", undefined)), null);
});

test("a phrase that is said several times is one phrase with several moments", () => {
  const phrases = phrasesOf([insight("K", "Once", 1), insight("K", "refund", 2), insight("K", "Refund", 3)], moment);
  assert.deepEqual(
    phrases.map(({ value, moments }) => [value, moments.map(({ start }) => start)]),
    [
      ["refund", [2, 3]],
      ["Once", [1]],
    ],
  );
});

test("markers are in the order of time, and only of what has a time", () => {
  const insights = [
    insight("Tasks", "send", 9),
    insight("Topics", "t", 1),
    insight("KeyPhrases", "k", null),
    insight("ExtractiveSummary", "s", 2),
  ];
  const speakers = [
    {
      speakerId: "0",
      questions: [
        { text: "why?", start: 5 },
        { text: "when?", start: null },
      ],
    },
  ];
  assert.deepEqual(
    markersOf(insights, speakers, moment).map(({ kind, start }) => [kind, start]),
    [
      ["sentence", 2],
      ["question", 5],
      ["task", 9],
    ],
  );
});

test("an assignee is a text", () => {
  assert.equal(assigneeOf(insight("Tasks", "x", 1, { extra: { assignee: "0" } })), "0");
  for (const extra of [undefined, {}, { assignee: 5 }, { assignee: null }, { assignee: "" }]) {
    assert.equal(assigneeOf(insight("Tasks", "x", 1, { extra })), null);
  }
});
