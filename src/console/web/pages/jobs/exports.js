// Exports of the selected jobs, in the form of the service's own exports: one JSON object per line.

/** @typedef {(path: string, params?: Record<string, any>) => Promise<any>} Get */
/** @typedef {"jobs" | "utterances"} Kind */

/**
 * The service exports what matches filters; jobs selected one by one are read one by one.
 * @param {Get} get
 * @param {Kind} kind
 * @param {readonly string[]} ids
 * @param {(done: number) => void} onProgress
 */
export async function linesOf(get, kind, ids, onProgress) {
  /** @type {string[]} */
  const lines = [];
  for (const [at, id] of ids.entries()) {
    onProgress(at);
    const { links, ...job } = await get(`/v1/jobs/${id}`);
    const found = kind === "jobs" ? [job] : await utterancesOf(get, job);
    lines.push(...found.map((one) => `${JSON.stringify(one)}\n`));
  }
  return lines;
}

/** @param {Get} get @param {{id: string, externalId?: string | null, state: string}} job @returns {Promise<object[]>} */
async function utterancesOf(get, { id, externalId, state }) {
  const all = [];
  let cursor = state === "completed" ? undefined : null;
  while (cursor !== null) {
    const page = await get(`/v1/jobs/${id}/utterances`, { limit: 200, cursor });
    all.push(...page.data.map((/** @type {object} */ utterance) => ({ jobId: id, externalId, ...utterance })));
    cursor = page.nextCursor ?? null;
  }
  return all;
}

/** Lets the browser download an address of this service. @param {string} href @param {string} name of the file */
export function download(href, name) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
}

/** Offers lines as a file. @param {string[]} lines @param {string} name */
export function save(lines, name) {
  const url = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
  download(url, name);
  // The browser has taken hold of the content by then.
  setTimeout(() => URL.revokeObjectURL(url));
}
