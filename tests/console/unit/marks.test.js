import assert from "node:assert/strict";
import { test } from "node:test";
import { markedParts } from "../web/lib/marks.js";

/** The parts, with matches in brackets. @param {string} snippet */
const read = (snippet) => markedParts(snippet).map(({ text, isMatch }) => (isMatch ? `[${text}]` : text));

test("matches are told from the rest", () => {
  assert.deepEqual(read("I want to <mark>cancel</mark> it"), ["I want to ", "[cancel]", " it"]);
  assert.deepEqual(read("<mark>a</mark><mark>b</mark>"), ["[a]", "[b]"]);
  assert.deepEqual(read(""), []);
});

test("what was escaped becomes text again, once", () => {
  assert.deepEqual(read("&lt;b&gt; &amp; &quot;c&quot; &#39;d&#x27;"), [`<b> & "c" 'd'`]);
  assert.deepEqual(read("&amp;lt;mark&amp;gt; &unknown;"), ["&lt;mark&gt; &unknown;"]);
});

test("any other tag, and a mark with attributes, is text", () => {
  assert.deepEqual(read("<script>alert(1)</script>"), ["<script>alert(1)</script>"]);
  assert.deepEqual(read('<mark onclick="x">a</mark>'), ['<mark onclick="x">a']);
  assert.deepEqual(read("&lt;mark&gt;a"), ["<mark>a"]);
});

test("marks that are not closed, or not opened, lose nothing", () => {
  assert.deepEqual(read("a<mark>b"), ["a", "[b]"]);
  assert.deepEqual(read("a</mark>b"), ["a", "b"]);
});
