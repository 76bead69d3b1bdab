// Callers: their weights, their quotas, and what is used of them.
import { patch } from "../../lib/api.js";
import { number, Time } from "../../lib/format.js";
import { html, useState } from "../../lib/html.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { Empty, Failure, Loading } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { useToast } from "../../parts/toast.js";
import { Ago, FormDialog, Meter, More, Rights, usePages } from "./parts.js";

export function Callers() {
  const session = useSession();
  const list = usePages("/v1/admin/callers", {});
  const [changing, setChanging] = useState(/** @type {Api["CallerView"] | null} */ (null));
  const isAllowed = may(session, "admin:write");
  const columns = [
    {
      key: "name",
      title: "Caller",
      render: (/** @type {Api["CallerView"]} */ it) => html`<strong>${it.name}</strong>`,
    },
    {
      key: "weight",
      title: "Weight",
      align: /** @type {const} */ ("end"),
      render: (/** @type {Api["CallerView"]} */ it) => number(it.weight),
    },
    {
      key: "daily",
      title: "Today",
      render: (/** @type {Api["CallerView"]} */ it) =>
        html`<${Quota} used=${it.dailyUsed} of=${it.dailyQuota} until=${it.dailyResetsAt} />`,
    },
    {
      key: "monthly",
      title: "This month",
      render: (/** @type {Api["CallerView"]} */ it) =>
        html`<${Quota} used=${it.monthlyUsed} of=${it.monthlyQuota} until=${it.monthlyResetsAt} />`,
    },
    {
      key: "last",
      title: "Last submission",
      render: (/** @type {Api["CallerView"]} */ it) => html`<${Ago} at=${it.lastSubmittedAt} />`,
    },
    {
      key: "created",
      title: "Since",
      render: (/** @type {Api["CallerView"]} */ it) => html`<${Time} at=${it.createdAt} />`,
    },
    ...(isAllowed
      ? [
          {
            key: "change",
            title: "Actions",
            align: /** @type {const} */ ("end"),
            render: (/** @type {Api["CallerView"]} */ it) =>
              html`<${Button} class="small" aria-label=${`Change ${it.name}`} onClick=${() => setChanging(it)}>Change…<//>`,
          },
        ]
      : []),
  ];
  return html`
    <p class="section-about">
      While several callers have queued jobs, they are submitted in proportion to their weights. Quotas count the submissions that the
      provider may have accepted, by day and month (UTC).
    </p>
    <${Rights} scope="admin:write" what="changes weights or quotas" />
    ${list.error && html`<${Failure} error=${list.error} retry=${list.reload} />`}
    ${!list.rows && !list.error && html`<${Loading} />`}
    ${list.rows?.length === 0 && html`<${Empty} title="There is no caller yet">Create a key for one on the page Keys.<//>`}
    ${
      list.rows &&
      list.rows.length > 0 &&
      html`
      <${Table} caption="Callers" columns=${columns} rows=${list.rows} rowKey=${(/** @type {Api["CallerView"]} */ it) => it.name} />
      <${More} more=${list.more} />`
    }
    ${changing && html`<${Change} caller=${changing} onClose=${() => setChanging(null)} onChanged=${list.reload} />`}
  `;
}

/** @param {{used: number, of: number | null | undefined, until: string}} props */
function Quota({ used, of, until }) {
  if (typeof of !== "number") return html`<span>${number(used)} <span class="muted">no quota</span></span>`;
  const text = `${number(used)} of ${number(of)}`;
  return html`<span class="quota"><span>${text}${used >= of && html` <span class="muted">until <${Time} at=${until} /></span>`}</span>
    <${Meter} used=${used} of=${of} label=${`${text} used`} /></span>`;
}

/** @param {{caller: Api["CallerView"], onClose: () => void, onChanged: () => unknown}} props */
function Change({ caller, onClose, onChanged }) {
  const toast = useToast();
  /** @param {FormData} form */
  async function save(form) {
    const quota = (/** @type {string} */ name) => (form.get(name) === "" ? null : Number(form.get(name)));
    const body = { weight: Number(form.get("weight")), dailyQuota: quota("daily"), monthlyQuota: quota("monthly") };
    await patch(`/v1/admin/callers/${encodeURIComponent(caller.name)}`, body);
    onClose();
    toast(
      `Changed ${caller.name}: weight ${number(body.weight)}, ${quotaWords(body.dailyQuota, "day")}, ${quotaWords(body.monthlyQuota, "month")}.`,
    );
    onChanged();
  }
  const field = (
    /** @type {string} */ name,
    /** @type {string} */ label,
    /** @type {any} */ value,
    /** @type {any} */ more,
  ) => html`<label>
    <span>${label}</span>
    <input name=${name} type="number" inputmode="numeric" min="1" step="1" defaultValue=${value ?? ""} ...${more} />
  </label>`;
  const title = `Change ${caller.name}`;
  return html`
    <${FormDialog} title=${title} action=${title} onClose=${onClose} onSubmit=${save}>
      <p class="muted">The change holds from the next submission on, on all replicas. Jobs that wait for a quota continue once it is raised.</p>
      ${field("weight", "Weight, 1 to 1000", caller.weight, { required: true, max: 1000 })}
      ${field("daily", "Submissions per day, empty for no quota", caller.dailyQuota, {})}
      ${field("monthly", "Submissions per month, empty for no quota", caller.monthlyQuota, {})}
    <//>
  `;
}

/** @param {number | null} quota @param {string} unit */
const quotaWords = (quota, unit) => (quota === null ? `no quota per ${unit}` : `${number(quota)} per ${unit}`);
