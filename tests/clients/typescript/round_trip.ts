// A recording goes in and its insights come out, with the generated types only.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Job = components["schemas"]["JobView"];

function env(name: string): string {
  const value = process.env[name];
  assert.ok(value, name);
  return value;
}

const api = createClient<paths>({
  baseUrl: env("AFTERCALL_API"),
  headers: { Authorization: `Bearer ${env("AFTERCALL_KEY")}` },
});

/** The body of a success; the problem otherwise. */
function got<T>(answer: { data?: T; error?: components["schemas"]["Problem"] | undefined }): T {
  assert.ok(answer.data !== undefined, answer.error && `${answer.error.code}: ${answer.error.detail}`);
  return answer.data;
}

const externalId = `typescript-${randomUUID()}`;
const body = { contentUri: env("AFTERCALL_RECORDING"), encoding: "Wav", externalId, tags: ["typescript"] } as const;
const header = { "Idempotency-Key": randomUUID() };
const submitted: Job = got(await api.POST("/v1/jobs", { body, params: { header } }));
const again = got(await api.POST("/v1/jobs", { body, params: { header } }));
assert.equal(again.id, submitted.id);

const path = { id: submitted.id };
const job = got(await api.GET("/v1/jobs/{id}", { params: { path } }));
assert.equal(job.state, "completed");
const page = got(await api.GET("/v1/jobs", { params: { query: { externalId } } }));
assert.deepEqual(page.data.map((job) => job.id), [job.id]);

const utterances = got(await api.GET("/v1/jobs/{id}/utterances", { params: { path } })).data;
assert.ok(utterances.length > 1 && utterances.every((it) => it.end >= it.start && it.text !== ""));

const refused = await api.POST("/v1/jobs", { body: { encoding: "Wav" } });
assert.equal(refused.response.status, 422);
assert.equal(refused.error?.code, "validation-failed");
const missing = await api.GET("/v1/jobs/{id}", { params: { path: { id: randomUUID() } } });
assert.equal(missing.error?.code, "job-not-found");
console.log(`job ${job.id} is ${job.state}, with ${utterances.length} utterances`);
