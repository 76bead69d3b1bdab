// A recording goes in and its insights come out, with the generated types only.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { client, env, got, type Schemas } from "./client.js";

const api = client(env("AFTERCALL_KEY"));
const externalId = `typescript-${randomUUID()}`;
const contentUri = env("AFTERCALL_RECORDING");
const body: Schemas["SubmitJob"] = { contentUri, encoding: "Wav", externalId, tags: ["typescript"] };
const header = { "Idempotency-Key": randomUUID() };
const submitted = got(await api.POST("/v1/jobs", { body, params: { header } }));
const again = got(await api.POST("/v1/jobs", { body, params: { header } }));
assert.equal(again.id, submitted.id);

const path = { id: submitted.id };
const job = got(await api.GET("/v1/jobs/{id}", { params: { path, query: { wait: 60 } } }));
assert.equal(job.state, "completed");
const page = got(await api.GET("/v1/jobs", { params: { query: { externalId, status: ["completed"] } } }));
assert.deepEqual(page.data.map((job) => job.id), [job.id]);

const names = { "0": "Rachel", "1": "Tom" };
const speakers = got(await api.PUT("/v1/jobs/{id}/speakers", { params: { path }, body: names })).data;
assert.deepEqual(speakers.map((it) => it.speaker), ["Rachel", "Tom"]);
const utterances = got(await api.GET("/v1/jobs/{id}/utterances", { params: { path } })).data;
assert.ok(utterances.length > 1 && utterances.every((it) => it.end >= it.start && it.text !== ""));
const subtitles = await api.GET("/v1/jobs/{id}/transcript", {
  params: { path, query: { format: "vtt", maxChars: 40 } },
  parseAs: "text",
});
assert.match(String(subtitles.data), /^WEBVTT\n\n.*<v Rachel>/s);
const hits = got(await api.GET("/v1/search", { params: { query: { q: '"fiber router"', jobId: job.id } } })).data;
assert.ok(hits.length > 0 && hits.every((hit) => hit.snippet.includes("<mark>")));
const shape = got(await api.GET("/v1/jobs/{id}/shape", { params: { path } }));
assert.equal(shape.speakers.length, 2);
const stats = got(await api.GET("/v1/stats/jobs", { params: { query: { groupBy: "tag", tag: "typescript" } } })).data;
assert.equal(stats.find((it) => it.group === "typescript")?.measures.completed, 1);
const lines = got(
  await api.GET("/v1/exports/utterances.ndjson", { params: { query: { externalId } }, parseAs: "text" }),
);
const exported = lines.trim().split("\n").map((line): Schemas["UtteranceLine"] => JSON.parse(line));
assert.deepEqual(exported.map((line) => line.speaker), utterances.map((it) => it.speaker));

const refused = await api.POST("/v1/jobs", { body: { encoding: "Wav" } });
assert.equal(refused.response.status, 422);
assert.equal(refused.error?.code, "validation-failed");
const missing = await api.GET("/v1/jobs/{id}", { params: { path: { id: randomUUID() } } });
assert.equal(missing.error?.code, "job-not-found");
console.log(`job ${job.id} is ${job.state}, with ${utterances.length} utterances`);
