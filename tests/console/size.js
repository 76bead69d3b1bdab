// Fails if all files of the console together are larger than the budget, compressed. Usage: size.js <folder>
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET = 150 * 1024;

const folder = process.argv[2];
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));
const sizes = files.map((file) => ({
  name: relative(folder, file),
  // Brotli, which browsers prefer, is smaller still.
  size: gzipSync(readFileSync(file), { level: 9 }).length,
}));
const total = sizes.reduce((sum, { size }) => sum + size, 0);
const kib = (/** @type {number} */ size) => `${(size / 1024).toFixed(1)} KiB`;
console.log(`${files.length} files, ${kib(total)} of ${kib(BUDGET)} compressed`);
if (files.length === 0 || total > BUDGET) {
  sizes.sort((a, b) => b.size - a.size);
  for (const { name, size } of sizes.slice(0, 10)) console.log(`  ${kib(size)} ${name}`);
  process.exit(1);
}
