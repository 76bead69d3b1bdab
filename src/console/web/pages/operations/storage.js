// What is stored, how long it is kept, and what goes next.
import { useGet } from "../../lib/api.js";
import { bytes, number, Time, utc } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { Bars } from "../../parts/bars.js";
import { Failure, Loading } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { age, counted } from "./ages.js";
import { Facts } from "./parts.js";

const months = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric", timeZone: "UTC" });

const columns = [
  {
    key: "table",
    title: "Table",
    render: (/** @type {Api["StoredMonth"]} */ it) => html`<code class="nowrap">${it.table}</code>`,
  },
  {
    key: "month",
    title: "Month",
    render: (/** @type {Api["StoredMonth"]} */ it) =>
      html`<time class="nowrap" dateTime=${it.startsAt} title=${utc(new Date(it.startsAt))}>${months.format(new Date(it.startsAt))}</time>`,
  },
  {
    key: "rows",
    title: "Rows, about",
    align: /** @type {const} */ ("end"),
    render: (/** @type {Api["StoredMonth"]} */ it) =>
      typeof it.estimatedRows !== "number"
        ? html`<span class="muted nowrap">not counted yet</span>`
        : number(it.estimatedRows),
  },
  {
    key: "size",
    title: "Size",
    align: /** @type {const} */ ("end"),
    render: (/** @type {Api["StoredMonth"]} */ it) => html`<span class="nowrap">${bytes(it.bytes)}</span>`,
  },
  {
    key: "goes",
    title: "Goes",
    render: (/** @type {Api["StoredMonth"]} */ it) =>
      it.goesAt ? html`<${Time} at=${it.goesAt} />` : html`<span class="muted">stays</span>`,
  },
];

export function Storage() {
  const { data, error, reload } = useGet("/v1/admin/storage");
  if (error) return html`<${Failure} error=${error} retry=${reload} />`;
  if (!data) return html`<${Loading} lines=${6} />`;
  const { partitions, ages, next } = data;
  /** @type {Map<string, number>} */
  const sizes = new Map();
  for (const it of partitions) sizes.set(it.table, (sizes.get(it.table) ?? 0) + it.bytes);
  const tables = [...sizes].sort(([, one], [, other]) => other - one);
  const bars = tables.map(([name, size]) => ({ name, value: size, text: bytes(size) }));
  const kept = ages.map((/** @type {Api["KeptAge"]} */ it) => [
    it.kind,
    typeof it.seconds !== "number" ? html`<span class="muted">for ever</span>` : age(it.seconds),
  ]);
  const now = Date.now();
  // Months ahead are there for rows to come, and say nothing yet.
  const begun = partitions
    .filter((/** @type {Api["StoredMonth"]} */ it) => Date.parse(it.startsAt) <= now)
    .sort((/** @type {Api["StoredMonth"]} */ one, /** @type {Api["StoredMonth"]} */ other) => other.bytes - one.bytes);
  return html`
    <div class="bar-grid">
      <section class="panel" aria-label="How long it is kept">
        <h2>How long it is kept</h2>
        <p class="muted">After the end of the job, as <code>retention</code> in the settings says.</p>
        <${Facts} facts=${kept} />
      </section>
      <section class="panel" aria-label="Next deletion"><h2>Next deletion</h2><${Next} next=${next} /></section>
      <section class="panel" aria-label="Size by table"><h2>By table</h2><${Bars} title="Size by table" heads=${["Table", "Size"]} bars=${bars} /></section>
    </div>
    <h2>By month</h2>
    <p class="section-about">
      Large tables have a partition for each month, which goes as a whole once all of its rows are due.
      ${" "}${counted(partitions.length - begun.length, "partition is", "partitions are")} ready for months to come.
    </p>
    <${Table} caption="Partitions" columns=${columns} rows=${begun} rowKey=${(/** @type {Api["StoredMonth"]} */ it) => it.partition} />
  `;
}

/** @param {{next: Api["StorageView"]["next"]}} props */
function Next({ next }) {
  if (!next) {
    return html`<p>There is too much to count it while you wait. <code>aftercall retention --dry-run</code> counts all of it.</p>`;
  }
  const rows = Object.entries(next.rows);
  if (rows.length === 0 && next.partitions.length === 0) {
    return html`<p>Nothing is due. The worker looks once an hour.</p>`;
  }
  return html`
    <p class="muted">The next run, within the hour, deletes</p>
    <${Facts} facts=${[
      ...rows.map(([table, count]) => [table, counted(Number(count), "row", "rows")]),
      ...next.partitions.map((/** @type {Api["PlannedDrop"]} */ it) => [
        it.name,
        `the whole month, ${bytes(it.bytes)}`,
      ]),
    ]} />
  `;
}
