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
  return response;
}

/** What was said, which is there only for some. @param {string} path of the job @param {Promise<Response>[]} asked */
async function askResult(path, ...asked) {
  // Before anyone reads the responses, as they can be read once.
  const [session, job] = await Promise.all(asked.map(async (response) => (await response).clone().json()));
  const isThere = job.state === "completed" && !job.resultExpiredAt;
  if (!isThere || !session.scopes.includes("transcript:read")) return;
  for (const part of ["transcript?format=json", "speakers", "insights"]) ask(`${path}/${part}`);
}

// Unit tests have no page.
const route = routeOf(globalThis.location?.pathname ?? "");
if (route) {
  // If it does not arrive, the shell says so.
  route.load().catch(() => undefined);
  const session = ask("/console/session");
  if (route.name === "Call") {
    const path = `/v1/jobs/${route.params.id}`;
    askResult(path, session, ask(path)).catch(() => undefined);
  }
}

/** @param {string | undefined} method @param {string} path */
export function takeEarly(method, path) {
  const response = method === "GET" ? responses.get(path) : undefined;
  if (response) responses.delete(path);
  // What was asked for before a change, such as signing in, says nothing about what is after it.
  else if (method !== "GET") responses.clear();
  return response;
}
