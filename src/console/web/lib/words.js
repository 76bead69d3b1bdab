// What to say when something failed.
import { Problem } from "./api.js";
import { number } from "./format.js";

/**
 * What went wrong, and what to do.
 * @param {any} error
 * @returns {[string, string]}
 */
export function words(error) {
  if (!(error instanceof Problem))
    return ["Something in this page went wrong.", "Reload it; if that does not help, report it."];
  if (error.isOffline)
    return ["The service cannot be reached.", "Check your connection; the page goes on by itself once it is back."];
  const title = /[.!?]$/.test(error.title) ? error.title : `${error.title}.`;
  const wait = error.retryAfter ? `Try again in ${number(error.retryAfter)} s.` : "";
  if (error.code === "missing-scope") return [title, error.detail || "Sign in with a key that has the scope."];
  if (error.status >= 500) return [title, `${error.detail} ${wait || "Try again in a moment."}`.trim()];
  return [title, `${error.detail} ${wait}`.trim()];
}
