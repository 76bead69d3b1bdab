// What tests need besides a browser: requests to the service, and a server that receives its messages.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { base, key, newKey } from "./browser.js";

const SCOPES = [
  "jobs:write",
  "jobs:read",
  "transcript:read",
  "search:read",
  "stats:read",
  "notify:write",
  "admin:read",
  "admin:write",
];

/**
 * Sends a request to the service, and expects success.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {string} [withKey]
 * @returns {Promise<any>}
 */
export async function ask(method, path, body, withKey = key) {
  const response = await fetch(base + path, {
    method,
    headers: {
      Authorization: `Bearer ${withKey}`,
      "Content-Type": "application/json",
      ...(method === "POST" ? { "Idempotency-Key": randomUUID() } : {}),
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

/** A key of a new caller, whose pages no other test changes. @param {string} caller */
export async function callerOf(caller, scopes = SCOPES) {
  return (await newKey({ name: "test", caller, scopes })).key;
}

/** Jobs of the recording that comes with the service. @param {string} withKey @param {object[]} jobs */
export async function submit(withKey, jobs) {
  const all = jobs.map((job) => ({ contentUri: process.env.AFTERCALL_RECORDING, encoding: "Wav", ...job }));
  const { data } = await ask("POST", "/v1/jobs/batch", { jobs: all }, withKey);
  return data.map((/** @type {any} */ { job, problem }) => job?.id ?? assert.fail(JSON.stringify(problem)));
}

/** A completed job of an uploaded recording, which can be played. @param {string} withKey @param {object} [more] of the job */
export async function recorded(withKey, more) {
  const recording = await fetch(/** @type {string} */ (process.env.AFTERCALL_RECORDING));
  const uploaded = await fetch(`${base}/v1/media`, {
    method: "POST",
    headers: { Authorization: `Bearer ${withKey}`, "Content-Type": "audio/wav" },
    body: await recording.arrayBuffer(),
  });
  const { id: media } = /** @type {any} */ (await uploaded.json());
  const job = { media, separateSpeakerPerChannel: true, ...more };
  const { id } = await ask("POST", "/v1/jobs", job, withKey);
  const { state } = await ended(withKey, id);
  assert.equal(state, "completed");
  return id;
}

/** Until a job has ended. @param {string} withKey @param {string} id */
export const ended = (withKey, id) => ask("GET", `/v1/jobs/${id}?wait=60`, undefined, withKey);

/** Ends a server at once: a client may have opened a connection that it never used, and would keep it for minutes. @param {import("node:http").Server} server */
export function end(server) {
  server.close();
  server.closeAllConnections();
}

/**
 * Receives messages, and responds as it is told.
 * @param {{ status: number, body: string }} answer may be changed meanwhile
 */
export async function receiver(answer) {
  /** @type {{ type: string, id: string }[]} */
  const received = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    received.push({ type: JSON.parse(body).type, id: String(request.headers["webhook-id"]) });
    response.writeHead(answer.status).end(answer.body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/hook`, received, close: () => end(server) };
}
