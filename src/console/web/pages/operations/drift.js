// How the provider's payloads differ from its contract.
import { useGet } from "../../lib/api.js";
import { number } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { Empty, Failure, Loading } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { Ago, JobLink } from "./parts.js";

/** @type {Record<string, string>} */
const KINDS = {
  unknown_insight: "unknown insight",
  unknown_member: "unknown member",
  unexpected_type: "unexpected type",
  unknown_value: "unknown value",
  other: "others, not listed",
};

const columns = [
  {
    key: "kind",
    title: "Difference",
    render: (/** @type {Api["DriftView"]} */ it) => html`<span><span class="nowrap">${KINDS[it.kind] ?? it.kind}</span>
      ${it.name && html` <strong class="any-text">${it.name}</strong>`}</span>`,
  },
  {
    key: "name",
    title: "Where",
    isWide: true,
    render: (/** @type {Api["DriftView"]} */ it) => html`<div class="drift-place">
      <code class="any-text">${it.path || "/"}</code>
      ${it.sample !== null && it.sample !== it.name && html`<details><summary>Form</summary><pre>${JSON.stringify(it.sample, null, 2)}</pre></details>`}
    </div>`,
  },
  {
    key: "deliveries",
    title: "Deliveries",
    align: /** @type {const} */ ("end"),
    render: (/** @type {Api["DriftView"]} */ it) => number(it.deliveries),
  },
  {
    key: "first",
    title: "First seen",
    render: (/** @type {Api["DriftView"]} */ it) => html`<${Ago} at=${it.firstSeen} />`,
  },
  {
    key: "last",
    title: "Last seen",
    render: (/** @type {Api["DriftView"]} */ it) => html`<${Ago} at=${it.lastSeen} />`,
  },
  {
    key: "job",
    title: "Example",
    render: (/** @type {Api["DriftView"]} */ it) => html`<${JobLink} id=${it.exampleJobId} />`,
  },
];

export function Drift() {
  const { data, error, reload } = useGet("/v1/admin/drift");
  if (error) return html`<${Failure} error=${error} retry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  if (data.data.length === 0) {
    return html`<${Empty} title="The provider keeps to its contract">
      <p>Members, insights and types that Aftercall does not know would be listed here. Nothing that the provider sends is lost.</p>
    <//>`;
  }
  return html`
    <p class="section-about">
      What the provider sent that its contract does not have. Results are stored all the same, and nothing is lost: a difference is a reason
      to look for a newer version of Aftercall. It goes 90 days after it was last seen.
    </p>
    <${Table} caption="Differences from the provider's contract" columns=${columns} rows=${data.data}
      rowKey=${(/** @type {Api["DriftView"]} */ it) => `${it.kind} ${it.path} ${it.name}`} />
  `;
}
