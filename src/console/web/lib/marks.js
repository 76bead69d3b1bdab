// Snippets of search results: HTML in which matches are in <mark> and everything else is escaped.
import { html } from "./html.js";

/** @type {Record<string, string>} */
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", "#39": "'", "#x27": "'", "#x2F": "/", "#47": "/" };

/** @param {string} text */
const unescaped = (text) => text.replace(/&(#?\w+);/g, (all, name) => ENTITIES[name] ?? all);

/**
 * The parts of a snippet. Only <mark> has a meaning; any other tag is text.
 * @param {string} snippet
 * @returns {{ text: string, isMatch: boolean }[]}
 */
export function markedParts(snippet) {
  let isMatch = false;
  const parts = [];
  for (const piece of snippet.split(/(<\/?mark>)/)) {
    if (piece === "<mark>") isMatch = true;
    else if (piece === "</mark>") isMatch = false;
    else if (piece !== "") parts.push({ text: unescaped(piece), isMatch });
  }
  return parts;
}

/** @param {{ snippet: string }} props */
export function Marked({ snippet }) {
  return markedParts(snippet).map(({ text, isMatch }) => (isMatch ? html`<mark>${text}</mark>` : text));
}
