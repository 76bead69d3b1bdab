// What the first page needs, asked for before the modules that show it have arrived.
import { routeOf } from "./routes.js";

/** Responses under way, by path. Each is for the first who asks. @type {Map<string, Promise<Response>>} */
const responses = new Map();

/** @param {string} path */
function ask(path) {
  const response = fetch(path, { headers: { Accept: "application/json" } });
  // Who takes it learns that it failed.
  response.catch(() => undefined);
  responses.set(path, response);
}

// Unit tests have no page.
const route = routeOf(globalThis.location?.pathname ?? "");
if (route) {
  // If it does not arrive, the shell says so.
  route.load().catch(() => undefined);
  ask("/console/session");
  if (route.name === "Call") ask(`/v1/jobs/${route.params.id}`);
}

/** @param {string | undefined} method @param {string} path */
export function takeEarly(method, path) {
  const response = method === "GET" ? responses.get(path) : undefined;
  if (response) responses.delete(path);
  // What was asked for before a change, such as signing in, says nothing about what is after it.
  else if (method !== "GET") responses.clear();
  return response;
}
