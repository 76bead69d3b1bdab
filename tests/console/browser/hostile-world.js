// A caller of whom nothing is harmless: every text that the console shows of it is hostile.
import { createServer } from "node:http";
import { HOSTILE, hostileCall } from "../made/calls.js";
import { ask, deliver, send, silentJob } from "../made/deliver.js";
import { newKey } from "./browser.js";
import { end } from "./service.js";

const SCOPES =
  "jobs:write jobs:read transcript:read transcript:raw search:read stats:read notify:write admin:read admin:write";

/** At most so many characters, as the service counts them. @param {string} text @param {number} most */
const cut = (text, most) => [...text].slice(0, most).join("");

/** As the service stores what the provider sent. @param {string} text */
export const stored = (text) => text.replaceAll("\0", "\ufffd");

/** For fields that take no control characters. @param {string} text */
const oneLine = (text) => text.replace(/\p{Cc}/gu, " ");

export const NAMES = HOSTILE.map((text) => cut(oneLine(text), 100));
export const TAGS = HOSTILE.slice(0, 8).map((text) => cut(stored(text), 64));
export const EXTERNAL_IDS = HOSTILE.map((text) => cut(stored(text), 200));
/** Of as many characters of an error as are kept; of the first 8000, only whole words are. */
export const ERRORS = HOSTILE.map((text) => (text.length > 8000 ? " …" : cut(stored(text), 1000)));
export const METADATA = { [stored(HOSTILE[3])]: HOSTILE[2], [HOSTILE[0]]: HOSTILE[3] };

/** The speakers of the call by their ids, one of them without a name. */
export const SPEAKERS = { "<b>0</b>": NAMES[3], ["__proto__"]: NAMES[0] };

/** A body that is no JSON. */
export const BODY = HOSTILE.join("\n");
export const USER_AGENT = HOSTILE[0];
/** As much of it as is kept of a response. */
export const RESPONSE = Buffer.from(BODY).subarray(0, 2048).toString();

/** A receiver of notifications that answers all of them with the texts. */
async function receiver() {
  const server = createServer((_request, response) => response.writeHead(500).end(BODY));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/`, close: () => end(server) };
}

/** @param {string} key @param {string} text @param {number} index */
async function failedJob(key, text, index) {
  const { id, webhook, providerJobId } = await silentJob({ externalId: EXTERNAL_IDS[index] }, key);
  const error = { errorCode: text, message: text, parameterName: text };
  const errors = [error, error];
  await send(webhook, JSON.stringify({ jobId: providerJobId, status: "Fail", response: { errors } }));
  return id;
}

export async function hostileWorld() {
  const { key } = await newKey({ name: NAMES[0], caller: "hostile", scopes: SCOPES.split(" ") });
  for (const name of NAMES.slice(1)) await newKey({ name, caller: "hostile", scopes: ["jobs:read"] });
  const { url, close } = await receiver();
  const endpoint = await ask(
    "POST",
    "/v1/endpoints",
    { url: url + HOSTILE[0] + HOSTILE[3], events: ["job.failed"], description: cut(stored(HOSTILE.join(" ")), 500) },
    { key },
  );
  const call = await deliver(hostileCall(), { externalId: EXTERNAL_IDS[3], tags: TAGS, metadata: METADATA }, key);
  await ask("PUT", `/v1/jobs/${call}/speakers`, SPEAKERS, { key });
  const failed = [];
  for (const [index, text] of HOSTILE.entries()) failed.push(await failedJob(key, text, index));
  const unread = await silentJob({ externalId: EXTERNAL_IDS[6] }, key);
  await send(unread.webhook, BODY, { "User-Agent": USER_AGENT });
  const found = await ask("GET", `/v1/admin/deliveries?jobId=${unread.id}`, undefined, { key });
  return { key, call, failed, endpoint, delivery: found.data[0].id, close };
}
