// The state of the whole service, refreshed while one looks.
import { useGet } from "../../lib/api.js";
import { bytes, Time } from "../../lib/format.js";
import { html, useEffect, useState } from "../../lib/html.js";
import { Link } from "../../lib/router.js";
import { Bars } from "../../parts/bars.js";
import { Icon } from "../../parts/icon.js";
import { Failure, Loading } from "../../parts/states.js";
import { age, counted } from "./ages.js";
import { Status, useEvery } from "./parts.js";
import { sparkline, vitals } from "./vitals.js";

/** @import { Vital } from "./vitals.js" */

/** Samples that a line shows: one every 15 seconds. */
const MOST_SAMPLES = 120;

export function Overview() {
  const { data, error, reload } = useGet("/v1/admin/overview");
  useEvery(reload);
  const samples = useSamples(data);
  if (!data) return error ? html`<${Failure} error=${error} retry=${reload} />` : html`<${Loading} lines=${8} />`;
  const overdue = data.retention.overdue
    .filter((/** @type {Api["OverviewOverdue"]} */ it) => it.seconds > 0)
    .map((/** @type {Api["OverviewOverdue"]} */ it) => ({ name: it.kind, value: it.seconds, text: age(it.seconds) }));
  const tables = data.database.tables.map((/** @type {Api["OverviewTableSize"]} */ it) => ({
    name: it.table,
    value: it.bytes,
    text: bytes(it.bytes),
  }));
  return html`
    <${Problems} problems=${data.problems} sampledAt=${data.sampledAt} isOld=${Boolean(error)} />
    <div class="vital-groups">
      ${vitals(data).map(
        (group) => html`<section key=${group.title} class="panel" aria-label=${group.title}>
          <h2>${group.title}</h2>
          <dl class="vitals">
            ${group.vitals.map((it) => html`<${Tile} key=${it.name} vital=${it} samples=${samples.get(it.name) ?? []} />`)}
          </dl>
        </section>`,
      )}
    </div>
    <div class="bar-grid">
      <section class="panel"><h2>Largest tables</h2><${Bars} title="Largest tables" heads=${["Table", "Size"]} bars=${tables} /></section>
      ${overdue.length > 0 && html`<section class="panel"><h2>Retention is late</h2><${Bars} title="Retention that is late" heads=${["Kind", "Late by"]} bars=${overdue} color="--warn" /></section>`}
    </div>
  `;
}

/** @param {{problems: string[], sampledAt: string, isOld: boolean}} props */
function Problems({ problems, sampledAt, isOld }) {
  const isWell = problems.length === 0;
  return html`
    <section class=${`problems ${isWell ? "is-well" : "is-bad"}`} aria-label="Problems">
      <div role="status">
        ${
          isWell
            ? html`<p><${Icon} name="check" /><strong>All is well.</strong> Nothing needs attention.</p>`
            : html`
              <h2>${counted(problems.length, "problem needs", "problems need")} attention</h2>
              <ul>
                ${problems.map((text) => html`<li key=${text}><${Icon} name="warning" /><span class="any-text">${text}</span></li>`)}
              </ul>
            `
        }
      </div>
      <p class="sampled">
        ${isOld ? "Could not be refreshed; sampled " : "Live; sampled "}<${Time} at=${sampledAt} relative />
      </p>
    </section>
  `;
}

/** @param {{vital: Vital, samples: number[]}} props */
function Tile({ vital: { label, level, part, value, at, detail }, samples }) {
  const shown = at ? html`<${Time} at=${at} relative />` : value;
  const line = sparkline(samples);
  const name = part ? html`<${Link} href=${`/console/operations/${part}`}>${label}<//>` : label;
  return html`
    <div class=${`vital is-${level}`}>
      <dt>${name}</dt>
      <dd>
        <span class="vital-value">${level === "bad" || level === "warn" ? html`<${Status} level=${level}>${shown}<//>` : shown}</span>
        ${detail && html`<span class="vital-detail">${detail}</span>`}
        ${line && html`<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><path d=${line} /></svg>`}
      </dd>
    </div>
  `;
}

/**
 * The numbers of the samples since the page was opened.
 * @param {Api["Overview"] | undefined} overview
 * @returns {Map<string, number[]>}
 */
function useSamples(overview) {
  const [samples, setSamples] = useState(/** @type {Map<string, number[]>} */ (new Map()));
  const sampledAt = overview?.sampledAt;
  useEffect(() => {
    if (!overview) return;
    const all = vitals(overview).flatMap((group) => group.vitals);
    setSamples((last) => {
      const next = new Map(last);
      for (const { name, trend } of all) {
        if (trend !== undefined) next.set(name, [...(last.get(name) ?? []), trend].slice(-MOST_SAMPLES));
      }
      return next;
    });
  }, [sampledAt]);
  return samples;
}
