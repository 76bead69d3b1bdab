// Actions on many jobs: the requests, what is asked before, and what is said afterwards.
import { number } from "../../lib/format.js";

/** @typedef {"retry" | "cancel" | "nameSpeakers"} Action */
/** @typedef {{ id: string, code: string, detail: string }} Refusal */
/** @typedef {{ matched: number, done: number, hasMore: boolean, nextCursor?: string | null, refused: Refusal[] }} Answer */
/** @typedef {{ ids: string[] } | { filter: Record<string, string | string[] | number> }} Chosen */
/** @typedef {(path: string, body: object) => Promise<Answer>} Post */
/** @typedef {{ done: number, refused: Map<string, number> }} Outcome `refused`: how many jobs, by reason */
/** @typedef {Outcome & { isExact: boolean }} Plan with many jobs, only the first of them were tried out */

/** @type {Record<Action, { verb: string, can: string, done: string, note: string }>} */
const WORDS = {
  retry: {
    verb: "Retry",
    can: "retried",
    done: "queued again",
    note: "Each gets a new attempt, which is paid for again.",
  },
  cancel: {
    verb: "Cancel",
    can: "canceled",
    done: "canceled",
    note: "What the provider has already accepted is paid for all the same.",
  },
  nameSpeakers: {
    verb: "Name the speakers of",
    can: "given names",
    done: "given the names",
    note: "The names replace all earlier ones, in transcripts too.",
  },
};

/** @param {number} count */
export const jobs = (count) => (count === 1 ? "1 job" : `${number(count)} jobs`);

/** Jobs that one request looks at. */
const JOBS_PER_REQUEST = 500;

/**
 * What the action would do.
 * @param {Post} post
 * @param {Action} action
 * @param {Chosen} chosen
 * @param {Record<string, string>} [names]
 * @returns {Promise<Plan>}
 */
export async function plan(post, action, chosen, names) {
  /** @type {Plan} */
  const plan = { done: 0, refused: new Map(), isExact: true };
  for (const part of partsOf(chosen)) {
    const answer = await post("/v1/jobs/actions", { action, names, ...part, dryRun: true });
    plan.done += answer.hasMore ? answer.matched - answer.refused.length : answer.done;
    plan.isExact &&= !answer.hasMore;
    count(answer.refused, plan.refused);
  }
  return plan;
}

/**
 * Does the action to all chosen jobs, request after request.
 * @param {Post} post
 * @param {Action} action
 * @param {Chosen} chosen
 * @param {{ names?: Record<string, string>, onProgress?: (done: number) => void }} [options]
 * @returns {Promise<Outcome>}
 */
export async function run(post, action, chosen, { names, onProgress } = {}) {
  /** @type {Outcome} */
  const total = { done: 0, refused: new Map() };
  for (const part of partsOf(chosen)) {
    /** @type {string | null | undefined} */
    let cursor;
    do {
      const answer = await post("/v1/jobs/actions", { action, names, ...part, cursor });
      total.done += answer.done;
      count(answer.refused, total.refused);
      onProgress?.(total.done);
      cursor = answer.nextCursor;
    } while (cursor);
  }
  return total;
}

/** @param {Refusal[]} refused @param {Map<string, number>} counts */
function count(refused, counts) {
  for (const { detail } of refused) counts.set(detail, (counts.get(detail) ?? 0) + 1);
}

/** @param {Chosen} chosen @returns {Chosen[]} */
function partsOf(chosen) {
  if ("filter" in chosen) {
    // In a URL everything is text; in a body a number is one.
    const { minSpeakers, ...rest } = chosen.filter;
    return [{ filter: minSpeakers ? { ...rest, minSpeakers: Number(minSpeakers) } : rest }];
  }
  const { ids } = chosen;
  const count = Math.ceil(ids.length / JOBS_PER_REQUEST);
  return Array.from({ length: count }, (_, at) => ({
    ids: ids.slice(at * JOBS_PER_REQUEST, (at + 1) * JOBS_PER_REQUEST),
  }));
}

/** Why some are left out, in the words of the service. @param {Map<string, number>} refused */
const refusals = (refused) => [...refused].map(([detail, count]) => `${jobs(count)} left out: ${detail}.`).join(" ");

/**
 * What is asked before the action, given what it would do.
 * @param {Action} action
 * @param {Plan} planned
 */
export function question(action, planned) {
  const { verb, can, note } = WORDS[action];
  const what = `${verb} ${planned.isExact ? "" : "up to "}${jobs(planned.done)}`;
  const left = refusals(planned.refused);
  if (planned.done === 0) return { title: "", action: "", text: left || `No selected job can be ${can}.` };
  return { title: `${what}?`, text: `${note} ${left}`.trim(), action: what, isDangerous: action === "cancel" };
}

/** What the action did. @param {Action} action @param {Outcome} outcome */
export function said(action, { done, refused }) {
  const was = done === 1 ? "was" : "were";
  return `${jobs(done)} ${was} ${WORDS[action].done}. ${refusals(refused)}`.trim();
}
