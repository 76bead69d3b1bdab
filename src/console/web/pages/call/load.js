// What the call page asks the service for.
import { follow, get, Problem, useGet } from "../../lib/api.js";
import { useCallback, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { createStore } from "../../lib/store.js";
import { isFinal } from "./advice.js";
import { CHUNK, chunksOf, timesOf } from "./details.js";
import { wordsOf } from "./place.js";
import { bucketFor } from "./talk.js";

/** @typedef {import("./turns.js").Utterance} Utterance */

/** Milliseconds between two looks at the position in the queue, of whose changes no event tells. */
const QUEUE_INTERVAL = 5000;

/** The job, as it changes. @param {string} id */
export function useJob(id) {
  const { data: job, error, reload } = useGet(`/v1/jobs/${encodeURIComponent(id)}`);
  const [changes, setChanges] = useState(0);
  const state = job?.state;
  const isWatched = state !== undefined && !isFinal(state);
  useEffect(() => {
    if (!isWatched) return;
    const changed = () => {
      reload();
      setChanges((count) => count + 1);
    };
    return follow(`/v1/events?jobId=${encodeURIComponent(id)}`, { event: changed, missed: changed });
  }, [id, isWatched, reload]);
  useEffect(() => {
    if (state !== "queued") return;
    const timer = setInterval(reload, QUEUE_INTERVAL);
    return () => clearInterval(timer);
  }, [state, reload]);
  return { job, error, reload, changes };
}

/** Whether the job has a result that can still be read. @param {any} job */
export const hasResult = (job) => job.state === "completed" && !job.resultExpiredAt;

/** The parts of a result. @param {any} job @param {boolean} mayRead */
export function useResult(job, mayRead) {
  const base = mayRead && hasResult(job) ? `/v1/jobs/${job.id}` : null;
  const transcript = useGet(base && `${base}/transcript`, { format: "json" });
  const speakers = useGet(base && `${base}/speakers`);
  const insights = useGet(base && `${base}/insights`);
  const peaks = useGet(base && job.media ? `${base}/peaks` : null, { points: 4000 });
  /** @type {Utterance[] | undefined} */
  const utterances = transcript.data?.utterances;
  const end = useMemo(
    () => utterances?.reduce((latest, utterance) => Math.max(latest, utterance.end), 0),
    [utterances],
  );
  const shape = useGet(end === undefined ? null : base && `${base}/shape`, { bucket: bucketFor(end ?? 0) });
  useEffect(() => {
    // Someone may have named the speakers.
    if (speakers.data) speakers.reload();
  }, [job.version]);
  return { utterances, speakers, insights, shape, peaks, error: transcript.error, reload: transcript.reload };
}

/**
 * All rows of a list, page by page.
 * @param {string} path
 * @returns {Promise<any[]>}
 */
async function allPages(path) {
  const rows = [];
  let cursor;
  do {
    const page = await get(path, { limit: 200, cursor });
    rows.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor);
  return rows;
}

/**
 * All rows of a list, loaded again whenever `version` changes.
 * @param {string | null} path
 * @param {unknown} version
 */
export function useAllPages(path, version) {
  const [state, setState] = useState(
    /** @type {{ path: string | null, data?: any[], error?: Problem }} */ ({ path: null }),
  );
  const latest = useRef(0);
  const reload = useCallback(async () => {
    if (path === null) return;
    const turn = ++latest.current;
    try {
      const data = await allPages(path);
      if (turn === latest.current) setState({ path, data });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (turn === latest.current) setState((last) => ({ ...last, path, error }));
    }
  }, [path]);
  useEffect(() => {
    reload();
  }, [reload, version]);
  const isCurrent = state.path === path;
  return { data: isCurrent ? state.data : undefined, error: isCurrent ? state.error : undefined, reload };
}

/** @typedef {{ emotion: string | null, words: import("./place.js").Word[] }} Detail */
/** @typedef {ReturnType<typeof createDetails>} Details */

/**
 * Emotions and words of utterances, loaded when they are wanted.
 * @param {string} id of the job
 * @param {readonly Utterance[]} utterances
 */
export function createDetails(id, utterances) {
  /** @type {Map<number, Detail>} */
  const known = new Map();
  /** @type {Set<number>} */
  const asked = new Set();
  /** Counts what has arrived. */
  const version = createStore(0);

  /** @param {number} chunk */
  async function load(chunk) {
    const filter = utterances.length > CHUNK ? timesOf(utterances, chunk) : {};
    const params = { ...filter, include: "words", limit: CHUNK };
    let cursor;
    do {
      const page = await get(`/v1/jobs/${id}/utterances`, { ...params, cursor });
      for (const { seq, emotion, wordTimings } of page.data) {
        known.set(seq, { emotion: emotion ?? null, words: wordsOf(wordTimings) });
      }
      cursor = page.nextCursor;
    } while (cursor);
    version.set(version.get() + 1);
  }

  return {
    version,
    /** @param {number} index of an utterance @returns {Detail | undefined} */
    of: (index) => known.get(utterances[index]?.seq),
    /** Loads what is not there yet. @param {number} first index @param {number} last index */
    want(first, last) {
      for (const chunk of chunksOf(first, last, utterances.length)) {
        if (asked.has(chunk)) continue;
        asked.add(chunk);
        // The transcript can be read without them; they are asked for again when they are next shown.
        load(chunk).catch(() => asked.delete(chunk));
      }
    },
  };
}
