// Links to a moment of a call: `#t=83.2`.

/**
 * The moment that a link names.
 * @param {string} hash with or without `#`
 * @returns {number | null} seconds
 */
export function momentOf(hash) {
  const written = new URLSearchParams(hash.replace(/^#/, "")).get("t");
  if (written === null || !/^\d{1,9}(\.\d{1,9})?$/.test(written)) return null;
  return Number(written);
}

/** @param {number} seconds */
export const hashOf = (seconds) => `#t=${Math.round(Math.max(0, seconds) * 10) / 10}`;
