// A month in which much happened: calls about several things, failures, deliveries in quarantine, and a queue. For pictures.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { after } from "node:test";
import { timed } from "./calls.js";
import { analyze, ask, deliver, eventually, send, shippedCall, silentJob, sql } from "./deliver.js";
import { random } from "./random.js";

/** @typedef {[speaker: string, text: string, emotion?: string]} Line */
/** @typedef {{ tags: string[], audioType: string, topics: string[], summary: string, tasks: string[], lines: Line[] }} Theme */

/** @type {Theme[]} */
const THEMES = [
  {
    tags: ["support", "delivery"],
    audioType: "CallCenter",
    topics: ["late delivery", "warehouse", "tracking number"],
    summary: "A parcel is late because it was held in the warehouse in Leeds. The agent sends it again by express.",
    tasks: ["I will send it again by express this afternoon."],
    lines: [
      ["0", "Thank you for calling Northwind, this is Robin. What can I do for you?"],
      ["1", "My parcel should have been here on Monday, and nobody can tell me where it is.", "Anger"],
      ["0", "I am sorry about that. Could you read me the tracking number?"],
      ["1", "It ends in seven seven one. I have called twice already.", "Anger"],
      ["0", "I can see it. It was held in the warehouse in Leeds because a label was torn."],
      ["1", "So when does it arrive?"],
      ["0", "I will send it again by express this afternoon. You have it by noon tomorrow."],
      ["1", "Oh, that is much better than I expected. Thank you!", "Joy"],
    ],
  },
  {
    tags: ["sales", "north"],
    audioType: "CallCenter",
    topics: ["price per seat", "annual contract", "data residency"],
    summary: "A prospect compares annual and monthly contracts and asks where recordings are stored.",
    tasks: ["I will send you a quote for forty seats.", "Please send the security questionnaire."],
    lines: [
      ["0", "Last time you asked about the price per seat. Is it still about forty people?"],
      ["1", "Forty now, sixty by the summer. What does the annual contract change?", "Anticipation"],
      ["0", "It is eighteen percent less, and you can add seats at the same price."],
      ["1", "And where are the recordings kept? Our lawyers insist on Europe."],
      ["0", "They stay in your own bucket. Nothing leaves the region that you choose.", "Trust"],
      ["1", "Good. Please send the security questionnaire, and I will show it to them.", "Trust"],
      ["0", "I will send you a quote for forty seats. Shall we talk again on Friday?"],
      ["1", "Friday is fine."],
    ],
  },
  {
    tags: ["onboarding"],
    audioType: "Meeting",
    topics: ["single sign-on", "training", "go-live date"],
    summary: "Three people plan the first weeks: single sign-on, two trainings, and the date to go live.",
    tasks: ["I will ask our administrator for the certificate.", "I will book both trainings."],
    lines: [
      ["0", "Welcome, everyone. Shall we begin with single sign-on?"],
      ["1", "Yes. I will ask our administrator for the certificate. Who tests it?"],
      ["2", "We can test it with the support team, they are curious anyway.", "Joy"],
      ["0", "Then training. One session for leads, and one for everybody else?"],
      ["2", "Two is right. Last year one large session was a disaster.", "Sadness"],
      ["1", "I will book both trainings. When do we go live?"],
      ["0", "If the certificate comes this week, on the fourteenth."],
      ["1", "That soon? What a surprise, but a good one.", "Surprise"],
    ],
  },
  {
    tags: ["support", "cancellation"],
    audioType: "CallCenter",
    topics: ["cancellation", "notice period", "refund"],
    summary: "A customer cancels because of an outage, and gets a month back.",
    tasks: ["I will confirm the cancellation in writing."],
    lines: [
      ["0", "This is Kim at Northwind. How may I help?"],
      ["1", "I want to cancel. The connection was down for three days, and I work from home.", "Anger"],
      ["0", "I understand. Would a month without charge change your mind?"],
      ["1", "No. I was afraid of losing my job, to be honest.", "Fear"],
      ["0", "Then I will confirm the cancellation in writing. The notice period is waived."],
      ["1", "And what about this month? Do I get a refund?"],
      ["0", "You get all of it back within three days."],
      ["1", "Fine. Thank you for not making this difficult.", "Trust"],
    ],
  },
];

/** What the provider would send for a conversation. @param {Theme} theme @param {() => number} next */
function resultOf({ lines, topics, summary, tasks }, next) {
  const pace = 0.33 + next() * 0.14;
  let now = 0.5;
  const utteranceInsights = lines.map(([speakerId, text, emotion = "Neutral"]) => {
    const start = now;
    const end = start + text.split(" ").length * pace;
    now = end + 0.2 + next() * 1.6;
    const insights = [{ name: "Emotion", value: emotion, confidence: 0.8 }];
    return { start, end, text, speakerId, confidence: 0.9, wordTimings: timed(text, start, end), insights };
  });
  const whole = { start: 0.5, end: now, confidence: 0.8 };
  /** What was said where these words are. @param {string} value @param {string} words */
  const moment = (value, words) => {
    const { start, end } = utteranceInsights.find(({ text }) => text.includes(words)) ?? whole;
    return { value, start, end, confidence: 0.8 };
  };
  const ids = [...new Set(lines.map(([speakerId]) => speakerId))];
  const asked = (/** @type {string} */ id) =>
    utteranceInsights
      .filter(({ text, speakerId }) => speakerId === id && text.includes("?"))
      .map(({ text, start, end }) => ({ text, start, end }));
  const values = {
    AbstractiveSummaryShort: [{ value: summary, ...whole }],
    Topics: topics.map((value) => ({ value, ...whole })),
    KeyPhrases: topics.map((value) => moment(value, value.split(" ")[0])),
    Tasks: tasks.map((value) => moment(value, value)),
  };
  return {
    utteranceInsights,
    speakerInsights: {
      speakerCount: ids.length,
      insights: [
        {
          name: "QuestionsAsked",
          values: ids.map((speakerId) => ({ speakerId, value: asked(speakerId).length, questions: asked(speakerId) })),
        },
      ],
    },
    conversationalInsights: Object.entries(values).map(([name, values]) => ({ name, values })),
  };
}

/**
 * Has a job that is done happen earlier, also in the statistics.
 * @param {string} id
 * @param {number} minutes ago
 * @param {number} took seconds from its submission to its end
 */
function moveBack(id, minutes, took) {
  const count = (/** @type {number} */ sign) =>
    `select aftercall.count_jobs(array_agg(id), array_agg(state), array_agg(${sign})) from aftercall.jobs where id = '${id}'`;
  const times = ["created_at", "submitted_at", "finished_at", "deadline_at"].map((it) => {
    const seconds = it === "finished_at" ? minutes * 60 - took : minutes * 60;
    return `${it} = ${it} - make_interval(secs => ${seconds})`;
  });
  sql(`${count(-1)}; update aftercall.jobs set ${times} where id = '${id}'; ${count(1)}`);
}

/** Days before today on which there were calls, the first ones first: more on working days, and more lately. */
const DAYS = Array.from({ length: 58 }, (_, index) => 58 - index);

/**
 * Makes all of it.
 * @returns {Promise<{ call: string, failed: string, submitted: string, queued: string }>} ids of jobs worth a look
 */
export async function aMonth() {
  const next = random(7);
  let number = 4100;
  const submitted = (/** @type {string} */ faults, more = {}) => {
    number += 1;
    const contentUri = `${process.env.AFTERCALL_RECORDING}?n=${number}&sandbox-faults=${faults}`;
    return ask("POST", "/v1/jobs", { contentUri, encoding: "Wav", externalId: `call-${number}`, ...more });
  };
  const ended = async (/** @type {Promise<any>} */ job) => ask("GET", `/v1/jobs/${(await job).id}?wait=60`);

  for (const day of DAYS) {
    const isFree = [0, 6].includes(new Date(Date.now() - day * 86_400_000).getUTCDay());
    const calls = Math.floor(next() * (isFree ? 1.5 : 3)) + (isFree || day > 29 ? 0 : 1);
    for (let call = calls; call > 0; call--) {
      number += 1 + Math.floor(next() * 5);
      const theme = THEMES[Math.floor(next() * THEMES.length)];
      const { tags, audioType } = theme;
      const languageCode = next() < 0.3 ? "en-GB" : "en-US";
      const id = await deliver(resultOf(theme, next), { externalId: `call-${number}`, tags, audioType, languageCode });
      // The later ones of a day are made last, too.
      moveBack(id, day * 1440 + call * 70 - Math.floor(next() * 60), 20 + next() * 90);
    }
  }

  // Two endpoints: one that takes messages, and one that is down.
  const server = createServer(({ url }, response) => response.writeHead(url === "/hooks/crm" ? 204 : 503).end());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  after(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  for (const [path, description] of [
    ["crm", "Notes in the CRM"],
    ["reports", "Weekly reports"],
  ]) {
    await ask("POST", "/v1/endpoints", { url: `http://127.0.0.1:${port}/hooks/${path}`, description });
  }
  for (const caller of ["crm", "reports"]) {
    await ask("POST", "/v1/admin/keys", { name: "production", caller, scopes: ["jobs:read", "transcript:read"] });
  }

  const call = await analyze(await shippedCall(), {
    externalId: "support-4471",
    tags: ["support", "billing"],
    languageCode: "en-US",
    audioType: "CallCenter",
  });
  await ask("PUT", `/v1/jobs/${call}/speakers`, { 0: "Robin", 1: "Dana" });

  const tags = ["support", "north"];
  const failures = [];
  for (let count = 0; count < 3; count++) failures.push(await ended(submitted("fail", { tags })));
  await ended(submitted("duplicate", { tags: ["sales"] }));
  await ended(submitted("truncated", { tags }));
  const { webhook } = await silentJob({ externalId: "call-4390", tags });
  // Of another job of the provider's, and with a member that nobody has heard of.
  const response = { ...resultOf(THEMES[0], next), sentiment: 0.4 };
  await send(webhook, JSON.stringify({ jobId: randomUUID(), status: "Success", response }));
  const late = await silentJob({ externalId: "call-4391", tags: ["sales"] });
  sql(`update aftercall.jobs set deadline_at = now() where id = '${late.id}'`);
  await ended(Promise.resolve(late));
  const waiting = await silentJob({ externalId: "call-4392", tags: ["onboarding"] });

  // From here on nothing is submitted any more: the rate limit was exceeded.
  const throttled = await submitted("throttled", { tags: ["sales", "north"] });
  await eventually("a penalty", async () => (await ask("GET", "/v1/admin/overview")).provider.penaltySeconds > 0);
  for (let count = 0; count < 4; count++) await submitted("", { tags: ["support"] });
  const canceled = await submitted("", { tags });
  await ask("POST", `/v1/jobs/${canceled.id}/cancel`);
  return { call, failed: failures[0].id, submitted: waiting.id, queued: throttled.id };
}
