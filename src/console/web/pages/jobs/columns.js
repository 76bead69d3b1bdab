// The columns of the list, and which of them the reader wants.
import { duration, number, Time } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { Link } from "../../lib/router.js";
import { StateBadge } from "../../parts/state-badge.js";
import { inWords } from "./filters.js";
import { QueuePlace } from "./queue-place.js";

/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./rows.js").Job} Job */

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {(row: Row) => any} render
 * @property {"end"} [align]
 * @property {string} [order]
 * @property {boolean} [isWide]
 * @property {boolean} [isDefault] Shown unless the reader has chosen otherwise.
 */

/** What a job is called: the app's name for it, or the end of its id, which is what differs. @param {Pick<Job, "externalId" | "id">} job */
export const jobName = ({ externalId, id }) => externalId ?? `…${id.slice(-8)}`;

/** The request has what the provider was sent; its members are only known to be JSON. @param {Job} job @param {string} member */
const requested = ({ request }, member) => {
  const value = /** @type {Record<string, unknown>} */ (request)[member];
  return typeof value === "string" ? value : "";
};

/** @param {Job} job */
function recording(job) {
  if (job.media) return "uploaded";
  const url = requested(job, "contentUri");
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  return path.split("/").pop() || url || "in the request";
}

/** @param {Job} job */
function took({ createdAt, finishedAt }) {
  if (!finishedAt) return null;
  const seconds = (Date.parse(finishedAt) - Date.parse(createdAt)) / 1000;
  return seconds < 60 ? `${number(Math.round(seconds * 10) / 10)} s` : duration(seconds);
}

/** What the job waits for, how it ended, or why it did not. @param {{job: Job}} props */
function Progress({ job }) {
  if (job.state === "queued") return html`<${QueuePlace} key=${job.id} id=${job.id} />`;
  if (job.state === "submitted")
    return html`<span class="muted">At the provider since <${Time} at=${job.submittedAt} /></span>`;
  if (job.state === "failed") return html`<span title=${job.error?.message}>${job.error?.message}</span>`;
  if (job.state === "timed_out") return html`<span class="muted">No result by <${Time} at=${job.deadlineAt} /></span>`;
  if (job.resultExpiredAt)
    return html`<span class="muted">Result deleted <${Time} at=${job.resultExpiredAt} relative /></span>`;
  if (job.completedVia) return html`<span class="muted">Result by ${job.completedVia}</span>`;
  return null;
}

/** @param {{tags: readonly string[]}} props */
const Tags = ({ tags }) =>
  tags.length > 0 &&
  html`<span class="job-tags">${tags.map((tag) => html`<bdi key=${tag} class="job-tag" title=${tag}>${tag}</bdi>`)}</span>`;

/** @param {{job: Job}} props */
const JobLink = ({
  job,
}) => html`<${Link} class="job-link" data-job=${job.id} href=${`/console/jobs/${job.id}`} title=${job.externalId ?? job.id}>
  <bdi>${jobName(job)}</bdi>
<//>`;

/** @type {readonly Column[]} */
export const COLUMNS = [
  {
    key: "job",
    title: "Job",
    isDefault: true,
    render: ({ job, hasLeft }) =>
      html`<${JobLink} job=${job} />${hasLeft && html`<span class="visually-hidden">no longer matches the filters</span>`}`,
  },
  { key: "state", title: "State", isDefault: true, render: ({ job }) => html`<${StateBadge} state=${job.state} />` },
  {
    key: "progress",
    title: "Progress",
    isDefault: true,
    isWide: true,
    render: ({ job }) => html`<span class="job-progress"><${Progress} job=${job} /></span>`,
  },
  { key: "tags", title: "Tags", isDefault: true, render: ({ job }) => html`<${Tags} tags=${job.tags} />` },
  {
    key: "created",
    title: "Created",
    isDefault: true,
    order: "createdAt",
    render: ({ job }) => html`<${Time} at=${job.createdAt} />`,
  },
  {
    key: "finished",
    title: "Finished",
    order: "completedAt",
    render: ({ job }) => html`<${Time} at=${job.finishedAt} />`,
  },
  { key: "took", title: "Took", isDefault: true, align: "end", render: ({ job }) => took(job) },
  { key: "attempts", title: "Attempts", align: "end", render: ({ job }) => number(job.attempts) },
  { key: "language", title: "Language", render: ({ job }) => requested(job, "languageCode") },
  { key: "type", title: "Type", render: ({ job }) => inWords(requested(job, "audioType")) },
  {
    key: "recording",
    title: "Recording",
    render: ({ job }) => html`<bdi class="job-recording" title=${recording(job)}>${recording(job)}</bdi>`,
  },
  { key: "deadline", title: "Deadline", render: ({ job }) => html`<${Time} at=${job.deadlineAt} />` },
  { key: "id", title: "Id", render: ({ job }) => html`<code class="job-id">${job.id}</code>` },
];

const DEFAULT_KEYS = COLUMNS.filter(({ isDefault }) => isDefault).map(({ key }) => key);
const STORED_AS = "aftercall.jobs.columns";

/**
 * The columns' keys in the order of the table; what is stored may be of another version, or anything.
 * @param {string | null} stored
 * @returns {string[]}
 */
export function chosenColumns(stored) {
  const keys = (stored ?? "").split(",");
  const known = COLUMNS.map(({ key }) => key).filter((key) => keys.includes(key));
  // Without its name, no row can be opened.
  return known.length === 0 ? DEFAULT_KEYS : known.includes("job") ? known : ["job", ...known];
}

/** A browser may refuse to store anything; the choice then lasts as long as the page. */
export function readColumns() {
  try {
    return chosenColumns(localStorage.getItem(STORED_AS));
  } catch {
    return DEFAULT_KEYS;
  }
}

/** @param {string[] | null} keys null for the default */
export function storeColumns(keys) {
  try {
    if (keys) localStorage.setItem(STORED_AS, keys.join());
    else localStorage.removeItem(STORED_AS);
  } catch {
    // See above.
  }
}
