// Hits of a search, page after page.
import { get, Problem } from "../../lib/api.js";
import { useCallback, useEffect, useRef, useState } from "../../lib/html.js";

/** @typedef {Api["HitView"]} Hit */
/** @typedef {{ job: string, externalId: string | null, at: string, hits: Hit[] }} Group */

const PAGE_SIZE = 50;

/**
 * Hits that follow one another in the same call, under its name. The order stays the service's, so a call may come again.
 * @param {readonly Hit[]} hits
 * @returns {Group[]}
 */
export function groupsOf(hits) {
  /** @type {Group[]} */
  const groups = [];
  for (const hit of hits) {
    const last = groups[groups.length - 1];
    if (last?.job === hit.jobId) last.hits.push(hit);
    else groups.push({ job: hit.jobId, externalId: hit.externalId ?? null, at: hit.createdAt, hits: [hit] });
  }
  return groups;
}

/** The call, at the moment of the hit. @param {Pick<Hit, "jobId" | "start">} hit */
export const momentOf = ({ jobId, start }) => `/console/jobs/${jobId}#t=${Math.round(start * 100) / 100}`;

/** @type {{ key: string | null, hits: Hit[], cursor: string | null, error: Problem | null }} */
const NOTHING = { key: null, hits: [], cursor: null, error: null };

/**
 * @param {Record<string, string | string[]> | null} params null while there is nothing to search for
 */
export function useHits(params) {
  const key = params === null ? null : JSON.stringify(params);
  const [found, setFound] = useState(NOTHING);
  const running = useRef(/** @type {AbortController | null} */ (null));

  const load = useCallback(
    /** @param {string} [cursor] */
    async (cursor) => {
      running.current?.abort();
      if (params === null) return setFound(NOTHING);
      const controller = new AbortController();
      const { signal } = controller;
      running.current = controller;
      try {
        const page = await get("/v1/search", { ...params, limit: PAGE_SIZE, cursor }, { signal });
        setFound((last) => ({
          key,
          hits: cursor ? [...last.hits, ...page.data] : page.data,
          cursor: page.nextCursor ?? null,
          error: null,
        }));
      } catch (error) {
        if (signal.aborted) return;
        // What was found before stays if only the next page failed.
        if (cursor || !(error instanceof Problem)) throw error;
        setFound({ ...NOTHING, key, error });
      }
    },
    [key],
  );

  useEffect(() => {
    load();
    return () => running.current?.abort();
  }, [load]);

  return {
    hits: found.hits,
    error: found.key === key ? found.error : null,
    hasMore: found.cursor !== null,
    isLoading: found.key !== key,
    more: () => load(found.cursor ?? undefined),
    reload: () => load(),
  };
}
