// One page of the list, kept fresh by the stream of events.
import { follow, get, Problem } from "../../lib/api.js";
import { useCallback, useEffect, useRef, useState } from "../../lib/html.js";
import { applyEvent, applyJobs, applyPage, changedIds, newAbove, toRows } from "./rows.js";

/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./rows.js").Job} Job */
/** @typedef {{data: Job[], hasMore: boolean, nextCursor?: string | null}} Page */

export const PAGE_SIZE = 50;

/** More than a page, so that rows are found again below the jobs that came since. */
const REFRESH_SIZE = 100;

/** Rows that are read one by one in a refresh; the others follow in the next ones. */
const SINGLE_READS = 10;

/** Milliseconds between two refreshes, however many events there are. */
const REFRESH_EVERY = 1000;

/**
 * @typedef {object} List
 * @property {Row[]} rows
 * @property {string | null} nextCursor
 * @property {{count: number, hasMore: boolean}} above Jobs above the first row that are not shown yet.
 */

/** @type {List} */
const NO_LIST = { rows: [], nextCursor: null, above: { count: 0, hasMore: false } };

/** @param {Page} page @returns {List} */
const toList = (page) => ({
  rows: toRows(page.data),
  nextCursor: page.nextCursor ?? null,
  above: { count: 0, hasMore: false },
});

/**
 * The list after its page was read again.
 * @param {List} list
 * @param {Page} page
 * @param {boolean} isFirst whether no other page stands before it
 * @returns {List}
 */
function refreshed(list, page, isFirst) {
  // Nothing moves under the eyes of a reader who sees nothing yet.
  if (list.rows.length === 0) return toList({ ...page, data: page.data.slice(0, PAGE_SIZE) });
  return { ...list, rows: applyPage(list.rows, page), above: isFirst ? newAbove(list.rows, page) : list.above };
}

/**
 * The jobs of one page. `onEvents` is called after events of whatever job, at most once a second.
 * @param {Record<string, string | string[]>} params filters, order and cursor
 * @param {() => void} onEvents
 */
export function useLiveJobs(params, onEvents) {
  const key = JSON.stringify(params);
  const [list, setList] = useState(NO_LIST);
  const [shown, setShown] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState(/** @type {Problem | null} */ (null));
  const current = useRef(NO_LIST);
  const reading = useRef(/** @type {AbortController | null} */ (null));
  const told = useRef(onEvents);
  told.current = onEvents;

  const update = useCallback(
    /** @type {(change: (list: List) => List) => void} */
    (change) => {
      current.current = change(current.current);
      setList(current.current);
    },
    [],
  );

  const reload = useCallback(async () => {
    reading.current?.abort();
    const controller = new AbortController();
    reading.current = controller;
    try {
      const page = await get("/v1/jobs", { ...params, limit: PAGE_SIZE }, { signal: controller.signal });
      update(() => toList(page));
      setError(null);
    } catch (problem) {
      if (controller.signal.aborted) return;
      if (!(problem instanceof Problem)) throw problem;
      setError(problem);
    }
    setShown(key);
  }, [key]);

  useEffect(() => {
    reload();
    return () => reading.current?.abort();
  }, [reload]);

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let isStale = false;

    async function refresh() {
      isStale = false;
      told.current();
      const page = await get("/v1/jobs", { ...params, limit: REFRESH_SIZE }, { signal });
      update((now) => refreshed(now, page, params.cursor === undefined));
      const unread = changedIds(current.current.rows);
      const jobs = await Promise.all(unread.slice(0, SINGLE_READS).map((id) => get(`/v1/jobs/${id}`, {}, { signal })));
      update((now) => ({ ...now, rows: applyJobs(now.rows, jobs) }));
      isStale ||= unread.length > SINGLE_READS;
    }

    async function refreshSafely() {
      try {
        await refresh();
      } catch (problem) {
        // What is shown stays; the next event, at the latest the first after a reconnection, tries again.
        if (!signal.aborted && !(problem instanceof Problem)) throw problem;
      }
      timer = undefined;
      if (isStale && !signal.aborted) schedule();
    }

    function schedule() {
      isStale = true;
      timer ??= setTimeout(refreshSafely, REFRESH_EVERY);
    }

    const stop = follow("/v1/events", {
      event: (event) => {
        const rows = applyEvent(current.current.rows, event);
        if (rows !== current.current.rows) update((now) => ({ ...now, rows }));
        schedule();
      },
      missed: schedule,
    });
    return () => {
      stop();
      clearTimeout(timer);
      controller.abort();
    };
  }, [key]);

  return { ...list, error, isLoading: shown !== key, reload };
}
