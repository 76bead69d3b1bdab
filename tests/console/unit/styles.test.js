import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const web = join(import.meta.dirname, "../web");

/** @param {string} ending */
const textsOf = (ending) =>
  readdirSync(web, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending) && !name.startsWith("vendor/"))
    .map((name) => readFileSync(join(web, name), "utf8"));

test("every class that has a style is one that a page uses", () => {
  const scripts = textsOf(".js")
    .join("\n")
    .replace(/^\s*(\/\/|\/?\*).*$/gm, "");
  const words = new Set(scripts.match(/[\w-]+/g));
  // Of names such as `state-${kind}`, the beginning is known.
  const beginnings = [...scripts.matchAll(/([\w-]+-)\$\{/g)].map(([, beginning]) => beginning);
  const styles = textsOf(".css")
    .join("\n")
    .replace(/\/\*[\s\S]*?\*\//g, "");
  const classes = new Set([...styles.matchAll(/\.([a-z][\w-]*)/g)].map(([, name]) => name));
  // uPlot's.
  const unused = [...classes].filter(
    (name) => !words.has(name) && !name.startsWith("u-") && !beginnings.some((beginning) => name.startsWith(beginning)),
  );
  assert.deepEqual(unused, []);
});
