import assert from "node:assert/strict";
import { test } from "node:test";
import { channelsOf, columnsOf, markerNear, speakersOf, talkOf } from "../../web/pages/call/waveform.js";

test("a column is as high as its greatest peak, with more or fewer columns than peaks", () => {
  assert.deepEqual([...columnsOf([0, 255, 51, 0], 2)], [1, Math.fround(0.2)]);
  assert.deepEqual([...columnsOf([255, 0], 4)], [1, 1, 0, 0]);
  assert.deepEqual([...columnsOf([], 2)], [0, 0]);
  // No peak is lost, however the columns divide them.
  for (let at = 0; at < 1000; at++) {
    const peaks = new Array(1000).fill(0);
    peaks[at] = 255;
    assert.equal(Math.max(...columnsOf(peaks, 333)), 1);
  }
});

const utterances = [
  { start: 0, end: 4, speakerId: "a" },
  { start: 5, end: 10, speakerId: "b" },
  { start: 6, end: 8, speakerId: "a" },
  { start: 0, end: 10, speakerId: null },
];

test("talk is counted in each column", () => {
  const talk = talkOf(utterances, ["a", "b"], 10, 5);
  assert.deepEqual(
    talk.map((own) => [...own]),
    [
      [2, 2, 0, 2, 0],
      [0, 0, 1, 2, 2],
    ],
  );
  assert.deepEqual(talkOf(utterances, [], 10, 5), []);
  assert.deepEqual([...talkOf(utterances, ["a"], 0, 2)[0]], [0, 0]);
});

test("a column belongs to the one who talks most, among those of its lane", () => {
  const talk = talkOf([...utterances, { start: 2, end: 2.5, speakerId: "b" }], ["a", "b"], 10, 5);
  assert.deepEqual([...speakersOf(talk)], [0, 0, 1, 0, 1]);
  assert.deepEqual([...speakersOf(talk, (speaker) => speaker === 1)], [-1, 1, 1, 1, 1]);
  assert.deepEqual([...speakersOf([])], []);
});

test("the channel of a speaker is the one that is loudest while they talk", () => {
  const talk = talkOf(utterances, ["a", "b"], 10, 5);
  const ofA = Float32Array.from([0.8, 0.8, 0.1, 0.7, 0.1]);
  const ofB = Float32Array.from([0.1, 0.2, 0.9, 0.6, 0.9]);
  assert.deepEqual(channelsOf([ofB, ofA], talk), [1, 0]);
  // Two speakers can share a channel.
  const third = Float32Array.from([1, 0, 0, 0, 0]);
  assert.deepEqual(channelsOf([ofA, ofB], [...talk, third]), [0, 1, 0]);
  // The same sound on both sides is on neither; a single channel is everyone's; silence is nobody's.
  assert.deepEqual(channelsOf([ofA, ofA], talk), [-1, -1]);
  assert.deepEqual(channelsOf([ofA], talk), [0, 0]);
  assert.deepEqual(channelsOf([ofA, ofB], [new Float32Array(5)]), [-1]);
});

test("the nearest marker is found, if it is near enough", () => {
  const markers = [1, 2, 2.5, 9].map((start) => ({ start }));
  const near = (seconds, reach) => markerNear(markers, seconds, reach)?.start ?? null;
  assert.deepEqual(
    [near(2.2, 1), near(2.3, 1), near(5, 1), near(10, 1), near(0, 1), near(1, 0)],
    [2, 2.5, null, 9, 1, 1],
  );
  assert.equal(markerNear([], 1, 5), null);
});
