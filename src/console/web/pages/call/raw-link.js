import { html } from "../../lib/html.js";

/** Where what is shown comes from, as JSON. @param {{ paths: string[] }} props */
export function RawLink({ paths }) {
  return html`<p class="raw muted">
    JSON: ${paths.map((path) => html`<a key=${path} href=${path} target="_blank" rel="noopener">${nameOf(path)}</a> `)}
  </p>`;
}

/** The last word of a path; that of a job ends in its id. @param {string} path */
const nameOf = (path) => (/\/jobs\/[^/]+$/.test(path) ? "job" : path.slice(path.lastIndexOf("/") + 1));
