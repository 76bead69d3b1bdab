// The numbers of an overview, and which of them need attention. The limits are those of the alarms.
import { bytes, number, percent } from "../../lib/format.js";
import { age, counted } from "./ages.js";

/** @typedef {"good" | "warn" | "bad" | "none"} Level `none`: nothing to judge */

/**
 * @typedef {object} Vital
 * @property {string} name
 * @property {string} label
 * @property {string} value
 * @property {string} detail
 * @property {Level} level
 * @property {string | null} [at] a time, shown in place of the value
 * @property {string} [part] page of operations about it
 * @property {number} [trend] what a line over time shows
 */

/** A due job is submitted within seconds while the provider can be called, and a due message is sent within seconds. */
const STUCK = 300;
/** Retention runs every hour. */
const OVERDUE = 3 * 3600;
const LONG_TRANSACTION = 900;
const FEW_DAYS = 14;
const MANY_CONNECTIONS = 0.8;
const MANY_FAILED = 0.05;
/** Of fewer jobs, the share that failed says little. */
const ENDED = 20;

/** @param {boolean} isBad @param {Level} [otherwise] @returns {Level} */
const bad = (isBad, otherwise = "good") => (isBad ? "bad" : otherwise);

/**
 * @param {Api["Overview"]} it
 * @returns {{title: string, vitals: Vital[]}[]}
 */
export function vitals(it) {
  return [
    { title: "Jobs", vitals: jobs(it) },
    { title: "Provider", vitals: provider(it.provider) },
    { title: "Webhook", vitals: webhook(it) },
    { title: "Notifications", vitals: notifications(it.notifications) },
    { title: "Database", vitals: database(it) },
  ];
}

/** @param {Api["Overview"]} it @returns {Vital[]} */
function jobs({
  sampledAt,
  jobs: { queued, submitting, submitted, unconfirmedAttempts },
  lastDay: { completed, failed },
  queue,
  deadlines,
  provider,
}) {
  const inState = (/** @type {Api["OverviewInState"]} */ state) =>
    state.count ? `the oldest for ${age(state.oldestSeconds)}` : "";
  const isHeldUp =
    provider.penaltySeconds > 0 || provider.refusedAuthSeconds > 0 || provider.refusedUpstreamSeconds > 0;
  const isStuck = queue.oldestDueSeconds > STUCK && provider.rateRemaining > 0 && !isHeldUp;
  const next = deadlines.nextSeconds;
  const ended = completed + failed;
  return [
    {
      name: "queued",
      label: "Queued",
      value: number(queued.count),
      detail: inState(queued),
      level: "none",
      trend: queued.count,
    },
    {
      name: "atProvider",
      label: "At the provider",
      value: number(submitting.count + submitted.count),
      detail: inState(submitted),
      level: "none",
      trend: submitting.count + submitted.count,
    },
    {
      name: "oldestDue",
      label: "Oldest due job",
      value: queue.oldestDueSeconds > 0 ? age(queue.oldestDueSeconds) : "none waits",
      detail: queue.etaSeconds > 0 ? `the queue takes ${age(queue.etaSeconds)}` : "",
      level: bad(isStuck),
      trend: queue.oldestDueSeconds,
    },
    {
      name: "succeeded",
      label: "Succeeded, 24 h",
      value: ended > 0 ? percent(completed / ended) : "none ended",
      detail: ended > 0 ? `${number(failed)} of ${counted(ended, "job", "jobs")} failed` : "",
      level: bad(ended >= ENDED && failed / ended > MANY_FAILED),
      trend: ended > 0 ? completed / ended : undefined,
    },
    {
      name: "deadline",
      label: "Next deadline",
      value: "none",
      at: typeof next === "number" ? new Date(Date.parse(sampledAt) + next * 1000).toISOString() : null,
      detail: counted(deadlines.dueWithinHour, "job within the hour", "jobs within the hour"),
      level: bad(deadlines.dueWithinHour > 0),
    },
    {
      name: "late",
      label: "Will be late",
      value: number(deadlines.lateJobs),
      detail: "queued beyond their deadline",
      level: bad(deadlines.lateJobs > 0),
    },
    {
      name: "unconfirmed",
      label: "Unconfirmed attempts",
      value: number(unconfirmedAttempts),
      detail: "may have reached the provider",
      level: unconfirmedAttempts > 0 ? "warn" : "good",
    },
  ];
}

/** @param {Api["OverviewProvider"]} provider @returns {Vital[]} */
function provider({
  rateLimit,
  rateRemaining,
  penaltySeconds,
  refusedAuthSeconds,
  refusedUpstreamSeconds,
  newestDriftAt,
}) {
  const refused = Math.max(refusedAuthSeconds, refusedUpstreamSeconds);
  const why = refusedAuthSeconds > 0 ? "login or permissions" : "its URL, or a proxy";
  return [
    {
      name: "gate",
      label: "Calls left",
      value: number(rateRemaining),
      detail: `of ${number(rateLimit)} in this window`,
      level: rateRemaining > 0 ? "good" : "warn",
      part: "provider",
      trend: rateRemaining,
    },
    {
      name: "penalty",
      label: "Penalty",
      value: penaltySeconds > 0 ? `${age(penaltySeconds)} left` : "none",
      detail: penaltySeconds > 0 ? "the rate limit was exceeded" : "",
      level: bad(penaltySeconds > 0),
      part: "provider",
    },
    {
      name: "refusals",
      label: "Submissions",
      value: refused > 0 ? `rejected for ${age(refused)}` : "accepted",
      detail: refused > 0 ? why : "",
      level: bad(refused > 0),
      part: "provider",
    },
    {
      name: "drift",
      label: "Newest difference",
      value: "none",
      at: newestDriftAt,
      detail: "from the provider's contract",
      level: "none",
      part: "drift",
    },
  ];
}

/** @param {Api["Overview"]} it @returns {Vital[]} */
function webhook({ webhook: { lastDeliveryAt, quarantined, quarantineOldestSeconds, selfTest } }) {
  return [
    {
      name: "lastDelivery",
      label: "Last delivery",
      value: "none yet",
      at: lastDeliveryAt,
      detail: "",
      level: "none",
      part: "deliveries",
    },
    {
      name: "quarantine",
      label: "In quarantine",
      value: number(quarantined),
      detail: quarantined ? `the oldest for ${age(quarantineOldestSeconds)}` : "",
      level: bad(quarantined > 0),
      part: "deliveries?quarantined=true",
    },
    {
      name: "selfTest",
      label: "Public URL",
      value: selfTest ? (selfTest.isUp ? "reachable" : "fails") : "not tested",
      detail: selfTest ? (selfTest.fault ?? `responded in ${age(selfTest.seconds)}`) : "webhook.public_url is not set",
      level: selfTest ? bad(!selfTest.isUp) : "none",
    },
  ];
}

/** @param {Api["OverviewNotifications"]} it @returns {Vital[]} */
function notifications({ backlog, oldestDueSeconds, stoppedEndpoints }) {
  return [
    {
      name: "backlog",
      label: "To send",
      value: number(backlog),
      detail: "messages, to all endpoints",
      level: "none",
      trend: backlog,
    },
    {
      name: "messageDue",
      label: "Oldest due message",
      value: oldestDueSeconds > 0 ? age(oldestDueSeconds) : "none waits",
      detail: "",
      level: bad(oldestDueSeconds > STUCK),
      trend: oldestDueSeconds,
    },
    {
      name: "stopped",
      label: "Stopped endpoints",
      value: number(stoppedEndpoints),
      detail: "kept failing, or responded with 410",
      level: bad(stoppedEndpoints > 0),
    },
  ];
}

/** @param {Api["Overview"]} it @returns {Vital[]} */
function database({ database: db, retention }) {
  const used = db.connections / Math.max(db.connectionsMax, 1);
  const late = Math.max(0, ...retention.overdue.map((it) => it.seconds));
  const days = db.partitionDaysAhead;
  const isFew = days !== null && days !== undefined && days < FEW_DAYS;
  return [
    { name: "size", label: "Size", value: bytes(db.bytes), detail: "", level: "none", part: "storage" },
    {
      name: "connections",
      label: "Connections",
      value: `${number(db.connections)} of ${number(db.connectionsMax)}`,
      detail: "",
      level: bad(used > MANY_CONNECTIONS),
    },
    {
      name: "transaction",
      label: "Oldest transaction",
      value: db.oldestTransactionSeconds > 0 ? age(db.oldestTransactionSeconds) : "none open",
      detail: "",
      level: bad(db.oldestTransactionSeconds > LONG_TRANSACTION),
    },
    {
      name: "partitions",
      label: "Partitions ahead",
      value: days === null || days === undefined ? "none" : age(days * 86_400),
      detail: "for new rows",
      level: bad(isFew),
      part: "storage",
    },
    {
      name: "retention",
      label: "Retention",
      value: late > 0 ? `${age(late)} late` : "on time",
      detail: "",
      level: bad(late > OVERDUE),
      part: "storage",
    },
  ];
}

/**
 * The line through values over time, in a box of 100 × 24; empty while there is nothing to see.
 * @param {number[]} values
 */
export function sparkline(values) {
  if (values.length < 2) return "";
  const most = Math.max(...values, 1);
  const step = 100 / (values.length - 1);
  return values
    .map((value, i) => `${i === 0 ? "M" : "L"}${(i * step).toFixed(1)} ${(23 - (22 * value) / most).toFixed(1)}`)
    .join("");
}
