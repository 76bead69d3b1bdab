// Paths of pages, in the browser's history.
import { html, useCallback, useMemo } from "./html.js";
import { changedQuery } from "./query.js";
import { createStore, useStore } from "./store.js";

/** @typedef {{ path: string, query: string }} Place */

/** @returns {Place} */
const here = () => ({ path: window.location.pathname, query: window.location.search });

const place = createStore(/** @type {Place} */ ({ path: "", query: "" }));
let isArrival = false;

/** Starts following the browser's history. */
export function startRouter() {
  place.set(here());
  window.addEventListener("popstate", () => {
    isArrival ||= window.location.pathname !== place.get().path;
    update();
  });
}

function update() {
  const next = here();
  const last = place.get();
  if (next.path !== last.path || next.query !== last.query) place.set(next);
}

/**
 * Shows a page.
 * @param {string} to for example `/console/jobs?status=failed#top`
 * @param {{ replace?: boolean }} [options] whether the current entry of the history is replaced
 */
export function navigate(to, { replace = false } = {}) {
  const path = window.location.pathname;
  if (replace) window.history.replaceState(null, "", to);
  else window.history.pushState(null, "", to);
  if (window.location.pathname !== path) {
    isArrival = true;
    window.scrollTo(0, 0);
  }
  update();
}

/** True once after the reader has come to another page, for the page that then takes the focus. */
export function takeArrival() {
  const was = isArrival;
  isArrival = false;
  return was;
}

/** The path of the page. */
export function usePath() {
  return useStore(place).path;
}

/**
 * The query, and a function that changes some of its parameters.
 * @returns {[URLSearchParams, (changes: import("./query.js").Params, options?: { replace?: boolean }) => void]}
 */
export function useQuery() {
  const { query } = useStore(place);
  const params = useMemo(() => new URLSearchParams(query), [query]);
  const set = useCallback(
    /** @type {(changes: import("./query.js").Params, options?: { replace?: boolean }) => void} */
    (changes, options) => {
      const { pathname, search } = window.location;
      const changed = changedQuery(new URLSearchParams(search), changes).toString();
      navigate(changed === "" ? pathname : `${pathname}?${changed}`, options);
    },
    [],
  );
  return [params, set];
}

/**
 * A link to a page of the console. Clicks that open tabs or windows stay the browser's.
 * @param {{ href: string, onClick?: (event: MouseEvent) => void, children?: any, [attribute: string]: any }} props
 */
export function Link({ href, onClick, children, ...attributes }) {
  /** @param {MouseEvent} event */
  function follow(event) {
    onClick?.(event);
    const opensElsewhere = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (event.defaultPrevented || opensElsewhere) return;
    event.preventDefault();
    navigate(href);
  }
  return html`<a href=${href} onClick=${follow} ...${attributes}>${children}</a>`;
}
