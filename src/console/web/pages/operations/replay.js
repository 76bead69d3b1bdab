// Replays of many deliveries: one request does a part, and says where to continue.
import { number } from "../../lib/format.js";
import { counted } from "./ages.js";

/** @typedef {{outcomes: {[outcome: string]: number}, failed: number}} Replayed */

/**
 * Replays all deliveries that match the filter.
 * @param {(body: any) => Promise<any>} send posts to `/v1/admin/replays`
 * @param {{[name: string]: unknown}} filter
 * @param {{acceptMismatch: boolean, onProgress: (so_far: Replayed) => void, signal: AbortSignal}} options between two
 *   requests, `signal` ends it
 * @returns {Promise<Replayed>}
 */
export async function replayAll(send, filter, { acceptMismatch, onProgress, signal }) {
  /** @type {Replayed} */
  let sum = { outcomes: {}, failed: 0 };
  let cursor = null;
  do {
    const part = await send({ filter: { ...filter, ...(cursor ? { cursor } : {}) }, acceptMismatch });
    sum = added(sum, part);
    onProgress(sum);
    cursor = part.hasMore ? part.nextCursor : null;
  } while (cursor && !signal.aborted);
  return sum;
}

/** @param {Replayed} sum @param {Replayed} part @returns {Replayed} */
function added(sum, part) {
  const outcomes = { ...sum.outcomes };
  for (const [outcome, count] of Object.entries(part.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  return { outcomes, failed: sum.failed + part.failed };
}

/** The number of replays, those included that could not be stored. @param {Replayed} replayed */
export const count = ({ outcomes, failed }) => Object.values(outcomes).reduce((sum, one) => sum + one, failed);

/** "12 deliveries replayed: 11 accepted, 1 mismatch." @param {Replayed} replayed */
export function sentence(replayed) {
  const parts = Object.entries(replayed.outcomes).map(([outcome, count]) => `${number(count)} ${outcome}`);
  if (replayed.failed > 0) parts.push(`${number(replayed.failed)} could not be stored`);
  const replays = counted(count(replayed), "delivery", "deliveries");
  return parts.length > 0 ? `${replays} replayed: ${parts.join(", ")}.` : "No delivery matched.";
}

/**
 * The filter of a list of deliveries, as the body of a replay writes it.
 * @param {URLSearchParams} query
 */
export function filterOf(query) {
  const quarantined = query.get("quarantined");
  /** @type {{[name: string]: unknown}} */
  const filter = {};
  if (quarantined === "true" || quarantined === "false") filter.quarantined = quarantined === "true";
  const outcomes = query.getAll("outcome");
  if (outcomes.length > 0) filter.outcome = outcomes;
  for (const name of ["jobId", "receivedAfter", "receivedBefore"]) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  return filter;
}
