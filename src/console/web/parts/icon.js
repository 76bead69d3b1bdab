import { html } from "../lib/html.js";

/** Outlines on a grid of 16. @type {Record<string, string>} */
const PATHS = {
  jobs: "M2.5 4h11M2.5 8h11M2.5 12h7",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.5 10.5 14 14",
  conversations: "M2.5 13.5v-4M6.2 13.5v-8M9.8 13.5V8M13.5 13.5v-11",
  operations:
    "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4",
  bell: "M4.5 11V7a3.5 3.5 0 0 1 7 0v4l1 1.5h-9ZM7 14.5h2",
  close: "m4 4 8 8M12 4l-8 8",
  check: "m3 8.5 3.2 3.2L13 4.8",
  down: "m4 6 4 4 4-4",
  up: "m4 10 4-4 4 4",
  right: "m6 4 4 4-4 4",
  left: "m10 4-4 4 4 4",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  plus: "M8 3v10M3 8h10",
  warning: "M8 2.5 14.2 13H1.8ZM8 6.5v3M8 11.3h.01",
  offline:
    "M2 2l12 12M5 8.5a4.5 4.5 0 0 1 2-1.1M2.5 6a8 8 0 0 1 2.6-1.7M7.5 3.6A8 8 0 0 1 13.5 6M10.6 8.2l.4.3M8 12h.01",
  key: "M10.5 2.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8.3 7.7 3 13v.5h2v-1.5h1.5V10.5h1",
  person: "M8 2.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5ZM3 13.5c.4-2.6 2.4-4 5-4s4.6 1.4 5 4",
  play: "M4.5 3v10l8-5Z",
  pause: "M5 3v10M11 3v10",
  download: "M8 2.5V10M5 7.5 8 10.5l3-3M3 13.5h10",
  upload: "M8 10.5V3M5 5.5 8 2.5l3 3M3 13.5h10",
  link: "M6.5 9.5l3-3M7 4.5l1.2-1.2a3 3 0 0 1 4.3 4.3L11.3 8.8M9 11.5l-1.2 1.2a3 3 0 0 1-4.3-4.3l1.2-1.2",
  edit: "M3 13l.6-2.6L10.8 3.2l2 2L5.6 12.4Z",
  reload: "M13 8a5 5 0 1 1-1.5-3.6M13 2.5v3h-3",
  filter: "M2.5 4h11M4.5 8h7M6.5 12h3",
};

/** A picture beside words; on its own, the control around it has the name. @param {{ name: string }} props */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

export function Logo() {
  return html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" />
    <path d="M8 13v6M13.3 9v14M18.7 12v8M24 14.5v3" />
  </svg>`;
}
