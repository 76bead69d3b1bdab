// The list of jobs: live, filtered, and with actions on many of them.
import { number } from "../lib/format.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { navigate, useQuery } from "../lib/router.js";
import { may, useSession } from "../lib/session.js";
import { Button } from "../parts/button.js";
import { Chips } from "../parts/chips.js";
import { Icon } from "../parts/icon.js";
import { Page } from "../parts/page.js";
import { Empty, Failure, Loading } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { useToast } from "../parts/toast.js";
import { jobs } from "./jobs/actions.js";
import { BulkBar } from "./jobs/bulk-bar.js";
import { ChooseColumns } from "./jobs/choose-columns.js";
import { COLUMNS, jobName, readColumns, storeColumns } from "./jobs/columns.js";
import { useFileDrop } from "./jobs/drop.js";
import { inWords, JOB_FIELDS, toParams, withoutFilters } from "./jobs/filters.js";
import { FirstCall } from "./jobs/first-call.js";
import { useLiveJobs } from "./jobs/live.js";
import { NewJob } from "./jobs/new-job.js";
import { EVERYTHING, isSelected, NOTHING, toggle, togglePage } from "./jobs/selection.js";
import { StateCounts, totalOf, useCounts } from "./jobs/state-counts.js";

/** @typedef {import("./jobs/rows.js").Job} Job */
/** @typedef {import("./jobs/rows.js").Row} Row */

const NEWEST_FIRST = "-createdAt";

export function Jobs() {
  const session = useSession();
  const toast = useToast();
  const [query, setQuery] = useQuery();
  const [newFiles, setNewFiles] = useState(/** @type {File[] | null} */ (null));
  const [isChoosing, setChoosing] = useState(false);
  const [columns, setColumns] = useState(readColumns);

  const filter = toParams(query, JOB_FIELDS);
  const sort = query.get("sort") ?? NEWEST_FIRST;
  const cursor = query.get("cursor");
  const { counts, reload: reloadCounts } = useCounts(filter);
  const list = useLiveJobs({ ...filter, sort, ...(cursor ? { cursor } : {}) }, reloadCounts);
  const maySubmit = may(session, "jobs:write");
  const isOver = useFileDrop(maySubmit && newFiles === null ? setNewFiles : null);

  /** What comes before or after in the list depends on all of it. @param {import("../lib/query.js").Params} changes */
  const change = (changes) => setQuery({ ...changes, cursor: undefined });
  const isWhole = Object.keys(filter).length === 0 && !cursor && sort === NEWEST_FIRST;

  /** @param {Job[]} submitted */
  function onSubmitted(submitted) {
    setNewFiles(null);
    toast(submittedWords(submitted));
    // They are where the reader looks for them: at the top, whatever was shown before.
    if (isWhole) list.reload();
    else navigate("/console/jobs");
    reloadCounts();
  }

  useKeys([
    {
      key: "f",
      what: "filter",
      run: () => /** @type {HTMLElement | null} */ (document.querySelector(".jobs .chips input"))?.focus(),
    },
    ...(maySubmit ? [{ key: "n", what: "new job", run: () => setNewFiles([]) }] : []),
  ]);

  const actions = html`
    <${Button} icon="filter" onClick=${() => setChoosing(true)}>Columns<//>
    ${maySubmit && html`<${Button} kind="primary" icon="plus" onClick=${() => setNewFiles([])}>New job<//>`}`;
  return html`<${Page} title="Jobs" class="jobs" actions=${actions}>
    <${StateCounts} counts=${counts} states=${query.getAll("status")} onStates=${(/** @type {string[]} */ status) => change({ status })} />
    <div class="jobs-filters">
      <${Chips} fields=${JOB_FIELDS} values=${query} onChange=${change} />
      <${Order} sort=${sort} onOrder=${(/** @type {string} */ order) => change({ sort: order === NEWEST_FIRST ? undefined : order })} />
    </div>
    <${Content} list=${list} filter=${filter} sort=${sort} columns=${columns} counts=${counts} onCounts=${reloadCounts}
      nothing=${
        isWhole
          ? html`<${FirstCall} maySubmit=${maySubmit} onNew=${() => setNewFiles([])} />`
          : html`<${Empty} title="No job matches.">
              <p>Take a filter away, or look at all jobs.</p>
              <${Button} onClick=${() => change({ ...withoutFilters(JOB_FIELDS), sort: undefined })}>Show all jobs<//>
            <//>`
      } />
    <${Pages} cursor=${cursor} next=${list.error ? null : list.nextCursor} onCursor=${(/** @type {string | undefined} */ to) => setQuery({ cursor: to })} />
    ${isOver && html`<div class="drop-anywhere" aria-hidden="true"><p><${Icon} name="upload" /> Drop recordings to analyze them</p></div>`}
    ${newFiles && html`<${NewJob} files=${newFiles} onClose=${() => setNewFiles(null)} onSubmitted=${onSubmitted} />`}
    ${
      isChoosing &&
      html`<${ChooseColumns} shown=${columns} onClose=${() => setChoosing(false)} onChange=${(
        /** @type {string[] | null} */ keys,
      ) => {
        storeColumns(keys);
        setColumns(readColumns());
      }} />`
    }
  <//>`;
}

/** What became of recordings that were submitted. @param {Job[]} submitted */
function submittedWords(submitted) {
  // A new job has had no event but its creation.
  const known = submitted.filter(({ version, state }) => version > 1 || state !== "queued");
  if (submitted.length === 1) {
    const [job] = submitted;
    return known.length === 0
      ? html`<bdi>${jobName(job)}</bdi> was submitted.`
      : html`This recording had been submitted before, as <bdi>${jobName(job)}</bdi>: ${inWords(job.state).toLowerCase()}.`;
  }
  const before = known.length > 0 ? ` ${number(known.length)} of them had been submitted before.` : "";
  return `${jobs(submitted.length)} submitted.${before}`;
}

/** @param {{ sort: string, onOrder: (sort: string) => void }} props */
function Order({ sort, onOrder }) {
  return html`<label class="jobs-order"><span class="visually-hidden">Order</span>
    <select value=${sort} onChange=${(/** @type {Event} */ event) => onOrder(/** @type {HTMLSelectElement} */ (event.currentTarget).value)}>
      <option value=${NEWEST_FIRST}>Newest first</option>
      <option value="createdAt">Oldest first</option>
      <option value="-completedAt">Last completed first</option>
    </select>
  </label>`;
}

/**
 * The rows, and what can be done with them.
 * @param {{
 *   list: ReturnType<typeof useLiveJobs>,
 *   filter: Record<string, string | string[]>,
 *   sort: string,
 *   columns: string[],
 *   counts: import("./jobs/state-counts.js").Counts | undefined,
 *   onCounts: () => void,
 *   nothing: any,
 * }} props `nothing`: what is shown if there is no row
 */
function Content({ list, filter, sort, columns, counts, onCounts, nothing }) {
  const [, setQuery] = useQuery();
  const [selection, setSelection] = useState(NOTHING);
  const table = useRef(/** @type {HTMLDivElement | null} */ (null));
  const filterKey = JSON.stringify(filter);
  // Jobs that were selected under other filters are out of sight.
  useEffect(() => setSelection(NOTHING), [filterKey]);

  const { rows, above, error, isLoading, reload } = list;
  const order = rows.map(({ job }) => job.id);
  useRowKeys(
    table,
    (id) => setSelection(toggle(selection, order, id, false)),
    () => setSelection(NOTHING),
  );

  if (error) return html`<${Failure} error=${error} retry=${reload} />`;
  if (rows.length === 0) return isLoading ? html`<${Loading} lines=${8} />` : nothing;

  /** For after a button that had the focus is gone. */
  const focusTable = () =>
    /** @type {HTMLElement | null | undefined} */ (table.current?.querySelector(".table-scroll"))?.focus();

  async function showNew() {
    await reload();
    window.scrollTo(0, 0);
    focusTable();
  }

  function clear() {
    setSelection(NOTHING);
    focusTable();
  }

  const selectionOfTable = {
    keys: new Set(order.filter((id) => isSelected(selection, id))),
    onChange: (/** @type {Set<string>} */ _keys, /** @type {{key: string, isRange: boolean} | undefined} */ clicked) =>
      setSelection(clicked ? toggle(selection, order, clicked.key, clicked.isRange) : togglePage(selection, order)),
    name: (/** @type {Row} */ { job }) => jobName(job),
  };
  const hasSelection = selection.isAll || selection.ids.size > 0;
  return html`<div class=${`jobs-list ${isLoading ? "is-loading" : ""}`} ref=${table} aria-busy=${isLoading}>
    <div class="jobs-news" role="status">
      ${
        above.count > 0 &&
        html`<button type="button" class="button small" onClick=${showNew}>
        <${Icon} name="up" />${number(above.count)}${above.hasMore ? "+" : ""} new ${above.count === 1 ? "job" : "jobs"}
      </button>`
      }
    </div>
    <${Table} caption="Jobs" columns=${COLUMNS.filter(({ key }) => columns.includes(key))} rows=${rows}
      rowKey=${(/** @type {Row} */ { job }) => job.id} order=${sort} selection=${selectionOfTable}
      onOrder=${(/** @type {string} */ asked) => setQuery({ sort: asked === "completedAt" ? "-completedAt" : asked, cursor: undefined })}
      rowClass=${(/** @type {Row} */ { hasLeft }) => (hasLeft ? "has-left" : "")} />
    ${
      hasSelection &&
      html`<${BulkBar} selection=${selection} filter=${filter} total=${totalOf(counts, statesOf(filter))}
      onSelectAll=${() => setSelection(EVERYTHING)} onClear=${clear} onDone=${onCounts} />`
    }
  </div>`;
}

/** @param {Record<string, string | string[]>} filter @returns {string[]} */
const statesOf = ({ status = [] }) => (Array.isArray(status) ? status : [status]);

/**
 * The keys that move between rows and select them. Enter opens the link that has the focus, as everywhere.
 * @param {{ current: HTMLElement | null }} table
 * @param {(id: string) => void} onSelect
 * @param {() => void} onClear
 */
function useRowKeys(table, onSelect, onClear) {
  const links = () => /** @type {HTMLElement[]} */ ([...(table.current?.querySelectorAll(".job-link") ?? [])]);
  const focused = () => links().findIndex((link) => link.closest("tr")?.contains(document.activeElement));
  /** @param {number} step */
  const move = (step) => {
    const all = links();
    all[Math.max(0, Math.min(all.length - 1, focused() + step))]?.focus();
  };
  useKeys([
    { key: "j", what: "next job", run: () => move(1) },
    { key: "k", what: "previous job", run: () => move(-1) },
    {
      key: "x",
      what: "select the job, or take it out",
      run: () => {
        const id = links()[focused()]?.dataset.job;
        if (id) onSelect(id);
      },
    },
    { key: "Escape", what: "select nothing", run: onClear },
  ]);
}

/**
 * @param {{ cursor: string | null, next: string | null, onCursor: (cursor: string | undefined) => void }} props
 */
function Pages({ cursor, next, onCursor }) {
  // The way back, for as long as the page is open; a link into the middle of the list has none.
  const before = useRef(/** @type {Map<string, string | undefined>} */ (new Map()));
  if (!cursor && !next) return null;
  /** @param {string | undefined} to */
  const go = (to) => {
    onCursor(to);
    window.scrollTo(0, 0);
  };
  return html`<nav class="pages" aria-label="Pages of the list">
    ${cursor && html`<${Button} onClick=${() => go(undefined)}>First page<//>`}
    ${cursor && before.current.has(cursor) && html`<${Button} icon="left" onClick=${() => go(before.current.get(cursor))}>Previous page<//>`}
    ${
      next &&
      html`<${Button} onClick=${() => {
        before.current.set(next, cursor ?? undefined);
        go(next);
      }}>Next page<${Icon} name="right" /><//>`
    }
  </nav>`;
}
