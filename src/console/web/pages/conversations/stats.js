// Statistics of the conversations that the page shows, all of the same moment.
import { get, Problem } from "../../lib/api.js";
import { useEffect, useState } from "../../lib/html.js";
import { requests } from "./filters.js";

/** @import { Shown } from "./filters.js" */

/** @typedef {Api["StatsView"]} Stats */
/**
 * @typedef {{[name in Exclude<keyof ReturnType<typeof requests>, "split">]: Stats} & {split: Stats | null}} AllStats
 */

/**
 * Everything is replaced at once, so that no chart shows other days than the one beside it.
 * @param {Shown | null} shown null asks for nothing
 * @returns {{shown: Shown | null, stats: AllStats | null, error: Problem | null, isLoading: boolean, reload: () => void}}
 */
export function useStats(shown) {
  const [state, setState] = useState(
    /** @type {{shown: Shown | null, stats: AllStats | null, error: Problem | null, isLoading: boolean}} */ ({
      shown: null,
      stats: null,
      error: null,
      isLoading: true,
    }),
  );
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (!shown) return;
    const controller = new AbortController();
    setState((last) => ({ ...last, isLoading: true }));
    load(shown, controller.signal).then(
      (stats) => setState({ shown, stats, error: null, isLoading: false }),
      (error) => {
        if (controller.signal.aborted) return;
        if (!(error instanceof Problem)) throw error;
        setState({ shown: null, stats: null, error, isLoading: false });
      },
    );
    return () => controller.abort();
  }, [shown, attempt]);
  return { ...state, reload: () => setAttempt((last) => last + 1) };
}

/** @param {Shown} shown @param {AbortSignal} signal @returns {Promise<AllStats>} */
async function load(shown, signal) {
  const asked = Object.entries(requests(shown));
  const answers = asked.map(([, params]) => (params ? get("/v1/stats/jobs", params, { signal }) : null));
  const all = await Promise.all(answers);
  return /** @type {AllStats} */ (Object.fromEntries(asked.map(([name], i) => [name, all[i]])));
}
