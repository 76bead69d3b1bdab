// Where a queued job stands. The list does not have it, as it costs a query for each job: only rows in sight ask for theirs.
import { get, Problem } from "../../lib/api.js";
import { number, Time } from "../../lib/format.js";
import { html, useEffect, useRef, useState } from "../../lib/html.js";

/** @typedef {Api["QueueView"]} Place */

/** Milliseconds until a place is asked for again. */
const ASK_EVERY = 15_000;

/** @type {Record<string, string>} */
const REASONS = {
  quota: "the quota is used up",
  backoff: "the last attempt failed",
  refused: "the provider rejects all submissions",
  penalty: "the provider has paused submissions",
  rate_limit: "the provider’s rate limit",
};

/** @param {{ id: string }} props */
export function QueuePlace({ id }) {
  const element = useRef(/** @type {HTMLSpanElement | null} */ (null));
  const [place, setPlace] = useState(/** @type {Place | null} */ (null));

  useEffect(() => {
    const controller = new AbortController();
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let timer;
    async function ask() {
      try {
        const job = await get(`/v1/jobs/${id}`, {}, { signal: controller.signal });
        setPlace(job.queue ?? null);
      } catch (error) {
        // The old place stays until the next answer.
        if (!controller.signal.aborted && !(error instanceof Problem)) throw error;
      }
    }
    const observer = new IntersectionObserver((entries) => {
      clearInterval(timer);
      if (!entries[entries.length - 1].isIntersecting) return;
      timer = setInterval(() => document.hidden || ask(), ASK_EVERY);
      ask();
    });
    if (element.current) observer.observe(element.current);
    return () => {
      observer.disconnect();
      clearInterval(timer);
      controller.abort();
    };
  }, [id]);

  const reason = place && REASONS[place.reason];
  return html`<span ref=${element}>
    ${place ? html`Position ${number(place.position)}, <${Time} at=${place.eta} relative />` : html`<span class="muted">In the queue</span>`}
    ${reason && html`<span class="muted"> · ${reason}</span>`}
  </span>`;
}
