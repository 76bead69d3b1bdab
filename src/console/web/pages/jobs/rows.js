// What the list shows while jobs change under it: rows change where they are, and only the reader moves them.

/** @typedef {Api["JobView"]} Job */
/** @typedef {Api["StreamedEvent"]} JobEvent */

/**
 * @typedef {object} Row
 * @property {Job} job
 * @property {boolean} isChanged An event is newer than the rest of what is shown of the job.
 * @property {boolean} hasLeft It no longer matches the filters; it stays until the list is read anew.
 */

const FINAL = new Set(["completed", "failed", "timed_out", "canceled"]);

/** @param {readonly Job[]} jobs @returns {Row[]} */
export const toRows = (jobs) => jobs.map((job) => ({ job, isChanged: false, hasLeft: false }));

/**
 * The rows with the new state of one job, and the same array if the event is old or of another job.
 * @param {Row[]} rows
 * @param {JobEvent} event
 */
export const applyEvent = (rows, event) => {
  const at = rows.findIndex(({ job }) => job.id === event.jobId);
  if (at < 0 || event.seq <= rows[at].job.version) return rows;
  const { job, hasLeft } = rows[at];
  const changed = { ...job, state: event.state ?? job.state, version: event.seq };
  // What the event itself tells, until the job is read again.
  if (event.kind === "submitted") changed.submittedAt = event.at;
  if (!FINAL.has(changed.state)) changed.finishedAt = null;
  else if (event.kind === changed.state) changed.finishedAt = event.at;
  return rows.with(at, { job: changed, isChanged: true, hasLeft });
};

/**
 * The rows with what was read of the same jobs since. An answer that left before an event did not bring it: it changes nothing.
 * @param {Row[]} rows
 * @param {readonly Job[]} jobs
 */
export const applyJobs = (rows, jobs) => {
  const read = new Map(jobs.map((job) => [job.id, job]));
  return rows.map((row) => {
    const job = read.get(row.job.id);
    return job === undefined || job.version < row.job.version ? row : { ...row, job, isChanged: false };
  });
};

/**
 * The same place in the list, read again: rows are updated where they stand. A row left the list if it is missing although
 * one that stood below it is there, or nothing follows.
 * @param {Row[]} rows
 * @param {{data: Job[], hasMore: boolean}} page
 */
export const applyPage = (rows, page) => {
  const present = new Set(page.data.map((job) => job.id));
  const lastPresent = page.hasMore ? rows.findLastIndex(({ job }) => present.has(job.id)) : rows.length;
  return applyJobs(rows, page.data).map((row, at) => {
    const hasLeft = !present.has(row.job.id) && (row.hasLeft || at < lastPresent);
    return row.hasLeft === hasLeft ? row : { ...row, hasLeft };
  });
};

/**
 * How many jobs stand above the first row now. `hasMore` if there may be more of them than were read.
 * @param {readonly Row[]} rows
 * @param {{data: Job[], hasMore: boolean}} page
 */
export const newAbove = (rows, page) => {
  const known = new Set(rows.map(({ job }) => job.id));
  const at = page.data.findIndex((job) => known.has(job.id));
  return at < 0 ? { count: page.data.length, hasMore: page.hasMore } : { count: at, hasMore: false };
};

/** Rows whose details have to be read one by one, as the page that was read does not have them. @param {readonly Row[]} rows */
export const changedIds = (rows) => rows.filter((row) => row.isChanged).map((row) => row.job.id);
