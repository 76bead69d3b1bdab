// Which page a path shows.

/**
 * @typedef {object} Route
 * @property {string} name of the page
 * @property {() => Promise<any>} load its module, which exports a component of that name
 * @property {Record<string, string>} params
 */

/** @type {[RegExp, string, () => Promise<any>][]} */
const ROUTES = [
  [/^\/console\/jobs$/, "Jobs", () => import("../pages/jobs.js")],
  [/^\/console\/jobs\/(?<id>[^/]+)$/, "Call", () => import("../pages/call/call.js")],
  [/^\/console\/search$/, "Search", () => import("../pages/search.js")],
  [/^\/console\/conversations$/, "Conversations", () => import("../pages/conversations.js")],
  [/^\/console\/endpoints$/, "Endpoints", () => import("../pages/endpoints/endpoints.js")],
  [/^\/console\/endpoints\/(?<id>[^/]+)$/, "Endpoint", () => import("../pages/endpoints/endpoint.js")],
  [/^\/console\/operations(?:\/(?<part>[^/]+))?$/, "Operations", () => import("../pages/operations/operations.js")],
];

/**
 * @param {string} path
 * @returns {Route | null}
 */
export function routeOf(path) {
  const clean = path.replace(/\/+$/, "");
  for (const [form, name, load] of ROUTES) {
    const match = form.exec(clean);
    if (match) return { name, load, params: { ...match.groups } };
  }
  return null;
}
