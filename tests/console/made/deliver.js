// Jobs with results of our own: the sandbox accepts a recording and keeps silent, and we deliver in its place.
//
// Needs a service whose sandbox writes a ledger (AFTERCALL__SANDBOX__LEDGER), which has the URL that a result is sent to.
//
// As a command, against the service that `tests/clients/with-service` describes: makes a call of three hours and a hostile one,
// and prints their ids.   node deliver.js [--sound]
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { HOSTILE, hostileCall, longCall, recordingOf } from "./calls.js";

const { AFTERCALL_API, AFTERCALL_KEY, AFTERCALL_RECORDING, AFTERCALL_DATA_DIR, AFTERCALL__SANDBOX__LEDGER } =
  /** @type {Record<string, string>} */ (process.env);

/** Sends a request to the service, and expects success. */
export async function ask(method, path, body, { type = "application/json", key = AFTERCALL_KEY } = {}) {
  const response = await fetch(AFTERCALL_API + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "Content-Type": type }) },
    body: body === undefined || body instanceof Buffer ? body : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** What `look` finds, as soon as it finds something. */
export async function eventually(what, look) {
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    const found = await look();
    if (found) return found;
    await setTimeout(20);
  }
  throw new Error(`no ${what} within 30 seconds`);
}

/**
 * A job that the provider has accepted, and whose result it never delivers by itself.
 * @param {object} [more] members of the submission
 * @param {string} [key] of its caller
 * @returns {Promise<{ id: string, webhook: string, providerJobId: string }>}
 */
export async function silentJob(more = {}, key = AFTERCALL_KEY) {
  const mark = randomUUID();
  const contentUri = `${AFTERCALL_RECORDING}?sandbox-faults=lost&mark=${mark}`;
  const { id } = await ask("POST", "/v1/jobs", { contentUri, encoding: "Wav", ...more }, { key });
  const state = async () => (await ask("GET", `/v1/jobs/${id}`, undefined, { key })).state;
  await eventually("submitted job", async () => (await state()) === "submitted");
  const lines = (await readFile(AFTERCALL__SANDBOX__LEDGER, "utf8")).trim().split("\n");
  const { webhook, jobId } = lines
    .map((line) => JSON.parse(line))
    .find(({ request }) => request?.contentUri.includes(mark));
  return { id, webhook, providerJobId: jobId };
}

/** Sends something to a job's webhook. @param {string} webhook @param {string} body @param {Record<string, string>} [headers] */
export async function send(webhook, body, headers) {
  const type = { "Content-Type": "application/json" };
  const sent = await fetch(webhook, { method: "POST", headers: { ...type, ...headers }, body });
  if (!sent.ok) throw new Error(`the webhook answered with ${sent.status}`);
}

/**
 * A completed job with this result.
 * @param {object} result members of the provider's response
 * @param {object} [more] members of the submission
 * @param {string} [key] of its caller
 * @returns {Promise<string>} its id
 */
export async function deliver(result, more, key = AFTERCALL_KEY) {
  const { id, webhook, providerJobId } = await silentJob(more, key);
  await send(webhook, JSON.stringify({ jobId: providerJobId, status: "Success", response: result }));
  const { state, completedVia, error } = await ask("GET", `/v1/jobs/${id}?wait=60`, undefined, { key });
  if (state !== "completed" || completedVia !== "webhook") {
    const { data } = await ask("GET", `/v1/jobs/${id}/timeline`, undefined, { key });
    throw new Error(`the job is ${state} ${JSON.stringify(error)}, after ${JSON.stringify(data)}`);
  }
  return id;
}

/** The recording that the sandbox has: 48 seconds of a support call, with a speaker on each channel. */
export async function shippedCall() {
  const response = await fetch(AFTERCALL_RECORDING);
  return Buffer.from(await response.arrayBuffer());
}

/**
 * A job that has analyzed an uploaded recording: it can be played.
 * @param {Buffer} recording
 * @param {object} more members of the submission
 * @returns {Promise<string>} its id
 */
export async function analyze(recording, more) {
  const media = await ask("POST", "/v1/media", recording, { type: "audio/wav" });
  const wanted = { media: media.id, separateSpeakerPerChannel: true, enableWordTimings: true };
  const { id } = await ask("POST", "/v1/jobs", { ...wanted, ...more });
  const { state, error } = await ask("GET", `/v1/jobs/${id}?wait=60`);
  if (state !== "completed") throw new Error(`the job is ${state} ${JSON.stringify(error)}`);
  return id;
}

/**
 * Says that a job was about an uploaded recording. Such a job would get its result from the sandbox at once, so this is
 * written to the database.
 * @param {string} id of the job
 * @param {Buffer} recording
 */
export async function attachSound(id, recording) {
  const media = await ask("POST", "/v1/media", recording, { type: "audio/wav" });
  sql(`update aftercall.jobs set media_id = '${media.id}' where id = '${id}'`);
  return media.id;
}

/** Runs a statement on the database that the service has started. */
export function sql(statement) {
  const sockets = readFileSync(join(AFTERCALL_DATA_DIR, "endpoint"), "utf8").trim();
  execFileSync("psql", [
    "-qX",
    "-v",
    "ON_ERROR_STOP=1",
    "-h",
    sockets,
    "-U",
    "aftercall",
    "-d",
    "aftercall",
    "-c",
    statement,
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = longCall();
  const long = await deliver(result, { externalId: "three-hours", tags: ["long"] });
  if (process.argv.includes("--sound")) await attachSound(long, recordingOf(result.utteranceInsights, 2));
  const hostile = await deliver(hostileCall(), { externalId: HOSTILE[0], tags: ["<b>tag</b>", HOSTILE[2]] });
  console.log(JSON.stringify({ long, hostile }));
}
