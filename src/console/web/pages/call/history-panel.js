// Everything that happened to the job: attempts, deliveries, and messages to endpoints.
import { bytes, duration, number, Time } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { Link } from "../../lib/router.js";
import { may, useSession } from "../../lib/session.js";
import { Failure, Loading } from "../../parts/states.js";
import { byAttempt, told, viaText } from "./events.js";
import { useAllPages } from "./load.js";
import { RawLink } from "./raw-link.js";

/** @param {{ job: any, changes: unknown }} props `changes`: changes whenever the job may have */
export function HistoryPanel({ job, changes }) {
  const base = `/v1/jobs/${job.id}`;
  const session = useSession();
  const version = `${job.version} ${changes}`;
  const timeline = useAllPages(`${base}/timeline`, version);
  const notifications = useAllPages(`${base}/notifications`, version);
  const seesDeliveries = may(session, "admin:read");
  const deliveries = useAllPages(seesDeliveries ? `/v1/admin/deliveries?jobId=${job.id}` : null, version);
  return html`<div class="history">
    <section>
      <h2>What happened</h2>
      <${List} loaded=${timeline} draw=${(/** @type {any[]} */ events) => html`<${Attempts} events=${events} />`} none="Nothing yet." />
    </section>
    ${
      seesDeliveries &&
      html`<section>
        <h2>Deliveries</h2>
        <${List}
          loaded=${deliveries}
          draw=${(/** @type {any[]} */ all) => html`<ul class="rows">${all.map(delivery)}</ul>`}
          none="The provider has delivered nothing yet."
        />
      </section>`
    }
    <section>
      <h2>Notifications</h2>
      <${List}
        loaded=${notifications}
        draw=${(/** @type {any[]} */ all) => html`<ul class="rows">${all.map(notification)}</ul>`}
        none="No endpoint wanted to know of this job."
      />
    </section>
    <section>
      <h2>The job</h2>
      <${Facts} job=${job} />
    </section>
    <${RawLink} paths=${[base, `${base}/timeline`, `${base}/notifications`]} />
  </div>`;
}

/** @param {{ loaded: { data?: any[], error?: any, reload: () => void }, draw: (rows: any[]) => any, none: string }} props */
function List({ loaded: { data, error, reload }, draw, none }) {
  if (error && !data) return html`<${Failure} error=${error} retry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  return data.length > 0 ? draw(data) : html`<p class="muted">${none}</p>`;
}

/** @param {{ events: import("./events.js").Event[] }} props */
function Attempts({ events }) {
  const first = Date.parse(events[0].at);
  return byAttempt(events).map(
    ({ attempt, events }) =>
      html`<div key=${events[0].seq} class="attempt">
        ${attempt > 0 && html`<h3>Attempt ${number(attempt)}</h3>`}
        <ol class="timeline">
          ${events.map((event) => {
            const { title, tone, facts } = told(event);
            return html`<li key=${event.seq} class=${`event ${tone}`}>
              <span class="event-title">${title}</span>
              <span class="muted numbers"><${Time} at=${event.at} />${after(first, event.at)}</span>
              <${Line} facts=${facts} />
            </li>`;
          })}
        </ol>
      </div>`,
  );
}

/** Short texts in a line, of which some are not ours. @param {{ facts: any[] }} props */
function Line({ facts }) {
  const known = facts.filter(Boolean);
  if (known.length === 0) return null;
  return html`<p class="muted any-text">${known.map((fact, index) => html`${index > 0 && " · "}<bdi>${fact}</bdi>`)}</p>`;
}

/** How long after the first event another one was. @param {number} first @param {string} at */
function after(first, at) {
  const seconds = (Date.parse(at) - first) / 1000;
  if (seconds === 0) return "";
  return seconds < 60 ? ` +${number(seconds)} s` : ` +${duration(seconds)}`;
}

/** @param {any} delivery */
const delivery = ({ id, outcome, reason, via, attempt, receivedAt, bodyBytes, quarantined }) =>
  html`<li key=${id}>
    <span class=${quarantined ? "bad" : ""}>${outcome.replaceAll("_", " ")}</span>
    <span class="muted"><${Time} at=${receivedAt} /></span>
    <${Line} facts=${[viaText(via), `attempt ${number(attempt)}`, bytes(bodyBytes), reason]} />
  </li>`;

/** @param {any} notification */
const notification = ({ id, type, state, endpointId, toJobUrl, occurredAt, nextAttemptAt, attempts, attemptCount }) =>
  html`<li key=${id}>
    <span class=${state === "exhausted" ? "bad" : state === "delivered" ? "good" : ""}>${type}: ${state}</span>
    <span class="muted"><${Time} at=${occurredAt} /></span>
    <p class="muted any-text">to ${toJobUrl ? "the URL of the job" : html`<${Link} href=${`/console/endpoints/${endpointId}`}>an endpoint<//>`}, ${number(attemptCount)} ${attemptCount === 1 ? "attempt" : "attempts"}</p>
    ${nextAttemptAt && html`<p class="muted">next attempt <${Time} at=${nextAttemptAt} relative /></p>`}
    ${
      attempts.length > 0 &&
      html`<ol class="tries">
      ${attempts.map(
        (/** @type {any} */ { number: nth, outcome, status, latencyMs, response, endedAt }) =>
          html`<li key=${nth} class="muted">
            ${number(nth)}. <${Time} at=${endedAt} />
            <${Line} facts=${[
              status ? `status ${status}` : outcome.replaceAll("_", " "),
              typeof latencyMs === "number" && `${number(latencyMs)} ms`,
              response,
            ]} />
          </li>`,
      )}
    </ol>`
    }
  </li>`;

/** @param {{ job: any }} props */
function Facts({ job }) {
  const { request, metadata } = job;
  const rows = [
    ["Id", html`<code>${job.id}</code>`],
    ["Created", html`<${Time} at=${job.createdAt} />`],
    job.submittedAt && ["Submitted", html`<${Time} at=${job.submittedAt} />`],
    job.finishedAt && ["Finished", html`<${Time} at=${job.finishedAt} />`],
    ["Deadline", html`<${Time} at=${job.deadlineAt} />`],
    ["Attempts", number(job.attempts)],
    ...Object.entries(request ?? {}).map(([name, value]) => [name, shown(value)]),
    ...Object.entries(metadata ?? {}).map(([name, value]) => [`metadata: ${name}`, shown(value)]),
  ].filter(Boolean);
  return html`<dl class="facts">
    ${rows.map(([name, value]) => html`<div key=${name} class="fact"><dt class="any-text">${name}</dt><dd class="any-text">${value}</dd></div>`)}
  </dl>`;
}

/** @param {unknown} value */
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
