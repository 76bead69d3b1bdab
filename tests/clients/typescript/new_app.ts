// The first day of an app, with the generated types only: a key for three things, a private recording, one notification
// that is verified with the official library, its insights, and nothing else.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { client, env, got, type Schemas } from "./client.js";

const scopes: Schemas["Scope"][] = ["jobs:write", "transcript:read", "notify:write"];

const messages: { headers: IncomingHttpHeaders; body: string }[] = [];
const receiver = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  messages.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
  response.writeHead(204).end(() => receiver.emit("message"));
}).listen(0, "127.0.0.1");
await once(receiver, "listening");

const admin = client(env("AFTERCALL_KEY"));
const { key } = got(await admin.POST("/v1/admin/keys", { body: { caller: "new-typescript-app", scopes } }));
const api = client(key);

const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
const endpoint = got(await api.POST("/v1/endpoints", { body: { url } }));
const recording = await (await fetch(env("AFTERCALL_RECORDING"))).blob();
const media = got(
  await api.POST("/v1/media", {
    body: "",
    bodySerializer: () => recording,
    headers: { "Content-Type": "application/octet-stream" },
  }),
);
assert.equal(media.channels, 2);
assert.equal(media.bytes, recording.size);
const told = once(receiver, "message", { signal: AbortSignal.timeout(60_000) });
const submitted = got(await api.POST("/v1/jobs", { body: { media: media.id, separateSpeakerPerChannel: true } }));

await told;
const [message] = messages;
assert.ok(message);
const event = new Webhook(endpoint.secret).verify(message.body, message.headers as Record<string, string>) as {
  type: string;
  data: { jobId: string };
};
assert.equal(event.type, "job.completed");
assert.equal(event.data.jobId, submitted.id);
const path = { id: submitted.id };
const query = { name: ["KeyPhrases"] };
assert.ok(got(await api.GET("/v1/jobs/{id}/insights", { params: { path, query } })).data.length > 0);
const utterances = got(await api.GET("/v1/jobs/{id}/utterances", { params: { path } })).data;
assert.deepEqual(new Set(utterances.map((it) => it.speakerId)), new Set(["0", "1"]));

// Every operation that needs another scope is forbidden.
type Operation = { security?: { key?: string[] }[] };
const document = JSON.parse(readFileSync("openapi.json", "utf8")) as { paths: Record<string, Record<string, Operation>> };
let forbidden = 0;
for (const [path, item] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(item)) {
    const needed = operation.security?.[0]?.key ?? [];
    if (needed.every((scope) => (scopes as string[]).includes(scope))) continue;
    const place = env("AFTERCALL_API") + path.replaceAll(/\{.*?\}/g, "00000000-0000-0000-0000-000000000000");
    const answer = await fetch(place, { method: method.toUpperCase(), headers: { Authorization: `Bearer ${key}` } });
    assert.equal(answer.status, 403, `${method} ${path}`);
    forbidden += 1;
  }
}
assert.ok(forbidden > 20);

// Told once: the message is stored as delivered, and nothing came after it.
const params = { path: { id: endpoint.id }, query: { state: ["delivered" as const] } };
let sent = got(await api.GET("/v1/endpoints/{id}/messages", { params })).data;
const until = Date.now() + 60_000;
while (sent.length === 0 && Date.now() < until) {
  await setTimeout(50);
  sent = got(await api.GET("/v1/endpoints/{id}/messages", { params })).data;
}
assert.equal(sent.length, 1);
assert.equal(messages.length, 1);
await api.DELETE("/v1/endpoints/{id}", { params: { path: { id: endpoint.id } } });
receiver.close();
receiver.closeAllConnections();
console.log(`job ${submitted.id} was announced once, and ${forbidden} operations are forbidden`);
