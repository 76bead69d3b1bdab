// The messages of an endpoint, each with its attempts.
import { post } from "../../lib/api.js";
import { number, Time } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { useQuery } from "../../lib/router.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { Chips } from "../../parts/chips.js";
import { useConfirm } from "../../parts/confirm.js";
import { Empty, Failure, Loading } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { useToast } from "../../parts/toast.js";
import { counted } from "../operations/ages.js";
import { visible } from "../operations/body.js";
import { Ago, JobLink, More, Status, usePages } from "../operations/parts.js";

const STATES = ["waiting", "pending", "probe", "delivering", "delivered", "exhausted", "skipped"];
const TYPES = [
  "job.submitted",
  "job.completed",
  "job.failed",
  "job.timed_out",
  "job.canceled",
  "job.reparsed",
  "job.erased",
  "notify.endpoint.paused",
  "notify.test",
];
const FIELDS = [
  { name: "state", label: "state", isMany: true, options: STATES },
  { name: "type", label: "type", isMany: true, options: TYPES },
  { name: "occurredAfter", label: "after", isDate: true },
  { name: "occurredBefore", label: "before", isDate: true },
];

/** @type {Record<string, import("../operations/vitals.js").Level>} */
const LEVELS = { delivered: "good", exhausted: "bad", skipped: "warn" };

/** The filter of the messages, as a list and a replay take it. @param {URLSearchParams} query */
export function messageFilter(query) {
  /** @type {{[name: string]: string | string[]}} */
  const filter = {};
  for (const { name, isMany } of FIELDS) {
    const values = query.getAll(name);
    if (values.length > 0) filter[name] = isMany ? values : values[0];
  }
  return filter;
}

/** @param {{endpoint: Api["EndpointView"], path: string}} props */
export function Messages({ endpoint, path }) {
  const session = useSession();
  const [query, set] = useQuery();
  const confirm = useConfirm();
  const toast = useToast();
  const filter = messageFilter(query);
  const list = usePages(path, filter);
  const mayReplay = may(session, "notify:write") && endpoint.state === "active";

  /** @param {Api["NotificationView"]} message */
  async function replay(message) {
    const text =
      "It is sent once more, with another webhook-id, so that a receiver that remembers ids does not ignore it.";
    if (!(await confirm({ title: "Send this message again?", text, action: "Replay 1 message" }))) return;
    await post(`/v1/notifications/${encodeURIComponent(message.id)}/replay`);
    toast("The message is due now.");
    list.reload();
  }
  const columns = [
    {
      key: "occurred",
      title: "Event",
      render: (/** @type {Api["NotificationView"]} */ it) => html`<${Ago} at=${it.occurredAt} />`,
    },
    {
      key: "type",
      title: "Type",
      render: (/** @type {Api["NotificationView"]} */ it) =>
        html`<span>${it.type}${it.replayOf && html` <span class="muted">replay</span>`}</span>`,
    },
    {
      key: "state",
      title: "State",
      render: (
        /** @type {Api["NotificationView"]} */ it,
      ) => html`<span><${Status} level=${LEVELS[it.state] ?? "none"}>${it.state}<//>
        ${it.nextAttemptAt && html` <span class="muted nowrap"><${Next} at=${it.nextAttemptAt} /></span>`}</span>`,
    },
    {
      key: "job",
      title: "Job",
      render: (/** @type {Api["NotificationView"]} */ it) =>
        it.jobId && html`<${JobLink} id=${it.jobId} caller=${session.caller} />`,
    },
    {
      key: "attempts",
      title: "Attempts",
      render: (/** @type {Api["NotificationView"]} */ it) => html`<${Attempts} message=${it} />`,
    },
    ...(mayReplay
      ? [
          {
            key: "replay",
            title: "Actions",
            align: /** @type {const} */ ("end"),
            render: (/** @type {Api["NotificationView"]} */ it) =>
              it.finishedAt &&
              !it.replayOf &&
              html`<${Button} class="small" aria-label=${`Replay the message ${it.type}`} onClick=${() => replay(it)}>Replay…<//>`,
          },
        ]
      : []),
  ];
  return html`
    <div class="detail-header">
      <h2>Messages</h2>
      <${Button} kind="quiet" class="small" icon="reload" onClick=${list.reload}>Refresh<//>
    </div>
    <${Chips} fields=${FIELDS} values=${query} onChange=${set} />
    ${list.error && html`<${Failure} error=${list.error} retry=${list.reload} />`}
    ${!list.rows && !list.error && html`<${Loading} />`}
    ${
      list.rows?.length === 0 &&
      html`<${Empty} title=${Object.keys(filter).length > 0 ? "No message matches" : "No message yet"}>
      ${Object.keys(filter).length > 0 ? "Remove a filter." : "Messages appear here as soon as a job has one of its events."}
    <//>`
    }
    ${
      list.rows &&
      list.rows.length > 0 &&
      html`
      <${Table} caption="Messages" columns=${columns} rows=${list.rows} rowKey=${(/** @type {Api["NotificationView"]} */ it) => it.id} />
      <${More} more=${list.more} />`
    }
  `;
}

/** A message whose time has come may still wait: a failing endpoint gets one at a time. @param {{at: string}} props */
function Next({ at }) {
  return Date.parse(at) > Date.now() ? html`next <${Time} at=${at} relative />` : "waits its turn";
}

/** @param {{message: Api["NotificationView"]}} props */
function Attempts({ message: { attemptCount, attempts, webhookId } }) {
  const last = attempts.at(-1);
  if (!last) return html`<span class="muted">${attemptCount > 0 ? "in progress" : "none yet"}</span>`;
  return html`
    <details class="attempts">
      <summary>${counted(attemptCount, "attempt", "attempts")}, the last: ${attemptWords(last)}</summary>
      <p class="muted">webhook-id <code>${webhookId}</code>${attemptCount > attempts.length ? `; the last ${attempts.length} attempts:` : ""}</p>
      <ol>
        ${attempts.map(
          (/** @type {Api["NotificationAttemptView"]} */ it) => html`<li key=${it.number}>
            <span class="muted">${it.number}.</span> <${Time} at=${it.endedAt} /> ${attemptWords(it)}
            ${it.response && html`<pre tabindex="0" aria-label=${`Response to attempt ${it.number}`}>${visible(it.response)}</pre>`}
          </li>`,
        )}
      </ol>
    </details>
  `;
}

/** @param {Api["NotificationAttemptView"]} attempt */
function attemptWords({ outcome, status, latencyMs }) {
  const what = status ? String(status) : outcome.replaceAll("_", " ");
  return typeof latencyMs === "number" ? `${what} in ${number(latencyMs)} ms` : what;
}
