import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const web = join(import.meta.dirname, "../web");

/** The module and all that it imports, but not what it loads later. @param {string} file @param {Set<string>} seen */
function loaded(file, seen) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, path] of readFileSync(file, "utf8").matchAll(/\bfrom\s*"(\.[^"]+)"/g)) {
    loaded(join(dirname(file), path), seen);
  }
  return seen;
}

test("index.html asks at once for every module that the first page needs", () => {
  const index = readFileSync(join(web, "index.html"), "utf8");
  const asked = [...index.matchAll(/rel="modulepreload" href="\/console\/assets\/([^"]+)"/g)].map(([, path]) => path);
  const needed = [...loaded(join(web, "app.js"), new Set())].map((file) => relative(web, file));
  assert.deepEqual(asked.toSorted(), needed.filter((path) => path !== "app.js").toSorted());
});
