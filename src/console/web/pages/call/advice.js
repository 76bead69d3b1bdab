// Why a job has no result, and what to do about it.

/** @typedef {{ class: string, code?: string | null, message: string, parameter?: string | null, retryable: boolean }} JobError */

const FINAL = ["completed", "failed", "timed_out", "canceled"];

/** Whether nothing more happens by itself. @param {string} state */
export const isFinal = (state) => FINAL.includes(state);

/** @type {Record<string, string>} */
const ADVICE = {
  validation:
    "The provider rejected the request. Correct what it names and submit the recording again; the same request would be rejected again.",
  auth: "The provider rejects the credentials of this service, or they lack a permission. An operator has to correct them; then retry.",
  upstream: "The provider was down or could not be reached. Retry when it is back.",
  analysis:
    "The provider took the recording but could not analyze it. Check that it can be downloaded and played, then retry.",
  timeout:
    "Retry to submit the recording once more; if that times out too, ask an operator whether the provider is slow.",
};

/**
 * What to do about a failed job.
 * @param {JobError | null | undefined} error
 */
export function adviceFor(error) {
  if (!error) return "Retry to submit the recording once more.";
  return (
    ADVICE[error.class] ??
    (error.retryable ? "Retry to submit the recording once more." : "Submit a corrected request.")
  );
}

/** @type {Record<string, string>} */
const REASONS = {
  quota: "The quota of this app is used up. It continues when the quota resets.",
  backoff: "The last attempt failed. The next one follows.",
  refused: "The provider rejects all submissions until an operator has corrected the cause.",
  penalty: "The provider accepts no calls for a while.",
  rate_limit: "The provider's rate limit is used up by the jobs ahead.",
  turn: "It is submitted next.",
};

/** Why a job is still queued. @param {string} reason */
export const waitFor = (reason) => REASONS[reason] ?? "";
