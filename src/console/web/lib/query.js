// Query strings.

/** @typedef {Record<string, string | number | boolean | null | undefined | readonly (string | number)[]>} Params */

/**
 * The path with parameters: arrays repeat, and what is empty is left out.
 * @param {string} path
 * @param {Params} [params]
 */
export function withQuery(path, params = {}) {
  const query = changedQuery(new URLSearchParams(), params).toString();
  return query === "" ? path : `${path}${path.includes("?") ? "&" : "?"}${query}`;
}

/**
 * A copy in which the named parameters have new values; those that become empty are removed.
 * @param {URLSearchParams} query
 * @param {Params} changes
 */
export function changedQuery(query, changes) {
  const changed = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    changed.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") changed.append(name, String(one));
    }
  }
  return changed;
}
