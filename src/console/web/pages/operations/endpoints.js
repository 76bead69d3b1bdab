// Where notifications go, and what became of them.
import { html } from "../../lib/html.js";
import { changedQuery } from "../../lib/query.js";
import { Link, useQuery } from "../../lib/router.js";
import { useSession } from "../../lib/session.js";
import { Empty, Failure, Loading } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { Endpoint, EndpointState } from "./endpoint.js";
import { Ago, More, Rights, usePages } from "./parts.js";

export function Endpoints() {
  const { caller } = useSession();
  const [query, set] = useQuery();
  const list = usePages("/v1/endpoints", {});
  const chosen = query.get("endpoint");
  const link = /** @param {string} id */ (id) => `?${changedQuery(new URLSearchParams(), { endpoint: id })}`;
  const columns = [
    {
      key: "url",
      title: "URL",
      isWide: true,
      render: (
        /** @type {Api["EndpointView"]} */ it,
      ) => html`<${Link} class="any-text" href=${link(it.id)} aria-current=${it.id === chosen ? "true" : undefined}>${it.url}<//>
        ${it.description && html`<div class="muted any-text">${it.description}</div>`}`,
    },
    {
      key: "state",
      title: "State",
      render: (/** @type {Api["EndpointView"]} */ it) => html`<${EndpointState} endpoint=${it} />`,
    },
    {
      key: "success",
      title: "Last success",
      render: (/** @type {Api["EndpointView"]} */ it) => html`<${Ago} at=${it.lastSuccessAt} />`,
    },
    {
      key: "created",
      title: "Created",
      render: (/** @type {Api["EndpointView"]} */ it) => html`<${Ago} at=${it.createdAt} />`,
    },
  ];
  return html`
    <p class="section-about">Where the jobs of <strong>${caller}</strong> are announced. To see those of another caller, look at it by the menu of your account.</p>
    <${Rights} scope="notify:write" what="tests, pauses or replays" />
    ${list.error && html`<${Failure} error=${list.error} retry=${list.reload} />`}
    ${!list.rows && !list.error && html`<${Loading} />`}
    ${
      list.rows?.length === 0 &&
      html`<${Empty} title="This caller has no endpoint">
      <p>An app creates one with <code>POST /v1/endpoints</code>, and is then told when its jobs end.</p>
    <//>`
    }
    ${
      list.rows &&
      list.rows.length > 0 &&
      html`
      <${Table} caption="Endpoints" columns=${columns} rows=${list.rows} rowKey=${(/** @type {Api["EndpointView"]} */ it) => it.id}
        rowClass=${(/** @type {Api["EndpointView"]} */ it) => (it.id === chosen ? "is-chosen" : "")} />
      <${More} more=${list.more} />`
    }
    ${
      chosen &&
      html`<${Endpoint} key=${chosen} id=${chosen} close=${() => set({ endpoint: null, state: null, type: null, occurredAfter: null, occurredBefore: null })}
      onChanged=${list.reload} />`
    }
  `;
}
