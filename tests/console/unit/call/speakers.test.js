import assert from "node:assert/strict";
import { test } from "node:test";
import { Cast } from "../../web/pages/call/speakers.js";

const speakers = [
  { speakerId: "0", speaker: "Robin" },
  { speakerId: "x", speaker: null },
];

test("a speaker has the given name, or one by the id", () => {
  const cast = new Cast(speakers);
  assert.deepEqual(
    ["0", "x", "7", null].map((id) => cast.nameOf(id)),
    ["Robin", "Speaker x", "Speaker 7", "Unknown speaker"],
  );
  assert.deepEqual(
    ["0", "x", null, "toString"].map((id) => cast.colorOf(id)),
    ["--speaker-0", "--speaker-1", "--muted", "--muted"],
  );
});

test("colors repeat after the last one", () => {
  const many = Array.from({ length: 10 }, (_, index) => ({ speakerId: String(index) }));
  assert.equal(new Cast(many).colorOf("9"), "--speaker-1");
});

test("a new name leaves the others as they are, and an empty one takes its own away", () => {
  assert.deepEqual(Cast.renamed("x", "  Kim ", speakers), { 0: "Robin", x: "Kim" });
  assert.deepEqual(Cast.renamed("0", " ", speakers), {});
});
