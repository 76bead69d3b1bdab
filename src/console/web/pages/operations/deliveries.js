// What the provider delivered, and what to do with what could not be used.
import { post } from "../../lib/api.js";
import { bytes, number, Time } from "../../lib/format.js";
import { html, useRef, useState } from "../../lib/html.js";
import { changedQuery } from "../../lib/query.js";
import { Link, useQuery } from "../../lib/router.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { Chips } from "../../parts/chips.js";
import { Choice } from "../../parts/choice.js";
import { useConfirm } from "../../parts/confirm.js";
import { Empty, Failure, Loading } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { useToast } from "../../parts/toast.js";
import { counted } from "./ages.js";
import { Delivery, Outcome } from "./delivery.js";
import { JobLink, More, Rights, usePages } from "./parts.js";
import { count, filterOf, replayAll, sentence } from "./replay.js";

/** @import { Replayed } from "./replay.js" */

const FIELDS = [
  {
    name: "outcome",
    label: "outcome",
    isMany: true,
    options: ["accepted", "duplicate", "late", "superseded", "malformed", "mismatch"],
  },
  { name: "jobId", label: "job" },
  { name: "receivedAfter", label: "received after", isDate: true },
  { name: "receivedBefore", label: "received before", isDate: true },
];

/** The columns that have room beside a delivery. */
const BESIDE = ["received", "outcome", "reason"];

export function Deliveries() {
  const [query, set] = useQuery();
  const filter = filterOf(query);
  const list = usePages("/v1/admin/deliveries", /** @type {any} */ (filter));
  const chosen = query.get("delivery");
  const link = /** @param {string | null} id */ (id) => `?${changedQuery(query, { delivery: id })}`;
  const all = [
    {
      key: "received",
      title: "Received",
      render: (/** @type {Api["DeliveryView"]} */ it) =>
        html`<${Link} href=${link(it.id)} aria-current=${it.id === chosen ? "true" : undefined}><${Time} at=${it.receivedAt} /><//>`,
    },
    {
      key: "outcome",
      title: "Outcome",
      render: (/** @type {Api["DeliveryView"]} */ it) => html`<${Outcome} delivery=${it} />`,
    },
    { key: "via", title: "Via", render: (/** @type {Api["DeliveryView"]} */ it) => it.via },
    { key: "caller", title: "Caller", render: (/** @type {Api["DeliveryView"]} */ it) => it.caller },
    {
      key: "job",
      title: "Job",
      render: (/** @type {Api["DeliveryView"]} */ it) => html`<${JobLink} id=${it.jobId} caller=${it.caller} />`,
    },
    {
      key: "bytes",
      title: "Body",
      align: /** @type {const} */ ("end"),
      render: (/** @type {Api["DeliveryView"]} */ it) => html`<span class="nowrap">${bytes(it.bodyBytes)}</span>`,
    },
    {
      key: "reason",
      title: "Reason",
      render: (/** @type {Api["DeliveryView"]} */ it) => it.reason && html`<span class="any-text">${it.reason}</span>`,
    },
  ];
  const columns = chosen ? all.filter(({ key }) => BESIDE.includes(key)) : all;
  const quarantine = [
    { value: "", label: "All" },
    { value: "true", label: "In quarantine" },
  ];
  const isFiltered = Object.keys(filter).length > 0;
  return html`
    <p class="section-about">
      Each response of the provider, byte for byte. One that cannot be read (malformed), or that names another job of the provider (mismatch), is
      in quarantine until a replay resolves it.
    </p>
    <div class="filters">
      <${Choice} label="Show" options=${quarantine} value=${query.get("quarantined") === "true" ? "true" : ""}
        onChange=${(/** @type {string} */ quarantined) => set({ quarantined })} />
      <${Chips} fields=${FIELDS} values=${query} onChange=${set} />
      <${Button} kind="quiet" icon="reload" class="at-end" onClick=${list.reload}>Refresh<//>
      <${ReplayAll} filter=${filter} onDone=${list.reload} />
    </div>
    <${Rights} scope="admin:write" what="replays deliveries" />
    <div class=${`list-and-detail ${chosen ? "has-detail" : ""}`}>
      ${chosen && html`<${Delivery} key=${chosen} id=${chosen} close=${() => set({ delivery: null })} onReplayed=${list.reload} />`}
      <div class=${list.isLoading ? "is-loading" : ""}>
        ${list.error && html`<${Failure} error=${list.error} retry=${list.reload} />`}
        ${!list.rows && !list.error && html`<${Loading} lines=${6} />`}
        ${
          list.rows?.length === 0 &&
          html`<${Empty} title=${isFiltered ? "No delivery matches" : "Nothing was delivered yet"}>
          ${filter.quarantined ? "Nothing is in quarantine that matches: all is well." : isFiltered ? "Remove a filter." : "Deliveries appear here as soon as the provider sends the first result."}
        <//>`
        }
        ${
          list.rows &&
          list.rows.length > 0 &&
          html`
          <${Table} caption="Deliveries" columns=${columns} rows=${list.rows} rowKey=${(/** @type {Api["DeliveryView"]} */ it) => it.id}
            rowClass=${(/** @type {Api["DeliveryView"]} */ it) => (it.id === chosen ? "is-chosen" : "")} />
          <${More} more=${list.more} />`
        }
      </div>
    </div>
  `;
}

/** @param {{filter: {[name: string]: unknown}, onDone: () => unknown}} props */
function ReplayAll({ filter, onDone }) {
  const session = useSession();
  const confirm = useConfirm();
  const toast = useToast();
  const [replayed, setReplayed] = useState(/** @type {Replayed | null} */ (null));
  const [matched, setMatched] = useState(0);
  const running = useRef(/** @type {AbortController | null} */ (null));
  if (!may(session, "admin:write")) return null;

  async function replay() {
    const dry = await post("/v1/admin/replays", { filter, dryRun: true });
    if (dry.matched === 0) return toast("No delivery matches that a replay could use.");
    const deliveries = counted(dry.matched, "delivery", "deliveries");
    const text = html`
      <p>
        Every delivery that matches the filters is read again by the current parser, and applied as if it had arrived now: newest first, of
        all callers. Results that exist stay as they are.
      </p>
      <p>Deliveries that name another job of the provider stay in quarantine: look at each, and accept it there.</p>
    `;
    if (!(await confirm({ title: `Replay ${deliveries}?`, text, action: `Replay ${deliveries}` }))) return;
    const controller = new AbortController();
    running.current = controller;
    setMatched(dry.matched);
    try {
      const options = { acceptMismatch: false, onProgress: setReplayed, signal: controller.signal };
      const done = await replayAll((body) => post("/v1/admin/replays", body), filter, options);
      toast(controller.signal.aborted ? `Stopped. ${sentence(done)}` : sentence(done), { isBad: done.failed > 0 });
    } finally {
      running.current = null;
      setReplayed(null);
      onDone();
    }
  }
  return html`
    <div class="replay-all">
      <${Button} onClick=${replay}>Replay all that match…<//>
      ${
        replayed &&
        html`
        <span role="status">${number(count(replayed))} of ${number(matched)}</span>
        <button type="button" class="button small" onClick=${() => running.current?.abort()}>Stop</button>
      `
      }
    </div>
  `;
}
