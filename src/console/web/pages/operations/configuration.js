// The settings in use.
import { useGet } from "../../lib/api.js";
import { html, useId } from "../../lib/html.js";
import { useQuery } from "../../lib/router.js";
import { Empty, Failure, Loading } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { counted } from "./ages.js";

const columns = [
  {
    key: "name",
    title: "Setting",
    render: (/** @type {Api["SettingView"]} */ it) => html`<code class="nowrap">${it.name}</code>`,
  },
  {
    key: "value",
    title: "Value",
    render: (/** @type {Api["SettingView"]} */ it) =>
      it.value === "" ? html`<span class="muted">not set</span>` : html`<span class="any-text">${it.value}</span>`,
  },
  {
    key: "source",
    title: "From",
    render: (/** @type {Api["SettingView"]} */ it) =>
      it.source === "default"
        ? html`<span class="muted">default</span>`
        : html`<code class="nowrap">${it.source}</code>`,
  },
];

export function Configuration() {
  const { data, error, reload } = useGet("/v1/admin/config");
  const [query, set] = useQuery();
  const [find, changed] = [useId(), useId()];
  if (error) return html`<${Failure} error=${error} retry=${reload} />`;
  if (!data) return html`<${Loading} lines=${8} />`;
  const text = query.get("find") ?? "";
  const isChanged = query.get("changed") === "true";
  const words = text.toLowerCase();
  const rows = data.data.filter(
    (/** @type {Api["SettingView"]} */ it) =>
      (!isChanged || it.source !== "default") &&
      [it.name, it.value, it.source].some((part) => part.toLowerCase().includes(words)),
  );
  return html`
    <p class="section-about">
      The settings of the process that answered, as <code>aftercall config print</code> shows them. Secrets are hidden. Environment:${" "}
      <strong>${data.environment}</strong>.
    </p>
    <div class="filters">
      <label for=${find}>Find</label>
      <input id=${find} type="search" value=${text}
        onInput=${(/** @type {any} */ event) => set({ find: event.currentTarget.value }, { replace: true })} />
      <label for=${changed} class="check">
        <input id=${changed} type="checkbox" checked=${isChanged}
          onChange=${(/** @type {any} */ event) => set({ changed: event.currentTarget.checked ? "true" : null })} />
        Only what differs from the defaults
      </label>
      <span class="muted" role="status">${counted(rows.length, "setting", "settings")}</span>
    </div>
    ${
      rows.length === 0
        ? html`<${Empty} title="No setting matches">Change what is to be found.<//>`
        : html`<${Table} caption="Settings" columns=${columns} rows=${rows} rowKey=${(/** @type {Api["SettingView"]} */ it) => it.name} />`
    }
  `;
}
