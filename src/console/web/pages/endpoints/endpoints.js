// Where notifications of a caller's jobs go.
import { html, useState } from "../../lib/html.js";
import { Link } from "../../lib/router.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { Page } from "../../parts/page.js";
import { Empty, Failure, Loading, NoScope } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { Ago, More, Rights, ShownOnce, usePages } from "../operations/parts.js";
import { EndpointState } from "./endpoint-state.js";
import { EndpointForm } from "./form.js";

const SCOPE = "notify:write";

/** @type {import("../../parts/table.js").Column[]} */
const COLUMNS = [
  {
    key: "url",
    title: "URL",
    isWide: true,
    render: (/** @type {Api["EndpointView"]} */ it) =>
      html`<${Link} class="any-text" href=${`/console/endpoints/${it.id}`}>${it.url}<//>
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

export function Endpoints() {
  const session = useSession();
  if (!session.scopes.includes(SCOPE)) {
    return html`<${Page} title="Endpoints"><${NoScope} scope=${SCOPE} what="endpoints" /><//>`;
  }
  return html`<${List} mayChange=${may(session, SCOPE)} caller=${session.caller} />`;
}

/** @param {{mayChange: boolean, caller: string}} props */
function List({ mayChange, caller }) {
  const list = usePages("/v1/endpoints", {});
  const [isNew, setNew] = useState(false);
  const [made, setMade] = useState(/** @type {Api["EndpointWithSecret"] | null} */ (null));
  const create =
    mayChange && html`<${Button} kind="primary" icon="plus" onClick=${() => setNew(true)}>New endpoint…<//>`;
  /** @param {Api["EndpointWithSecret"]} endpoint */
  const onSaved = (endpoint) => {
    setNew(false);
    setMade(endpoint);
    list.reload();
  };
  return html`<${Page} title="Endpoints" class="operations" actions=${create}>
    <p class="section-about">Where the jobs of <strong>${caller}</strong> are announced, by signed requests.</p>
    <${Rights} scope=${SCOPE} what="creates or changes endpoints" />
    ${
      made &&
      html`<${ShownOnce} title="Signing secret of the new endpoint" secret=${made.secret} onDone=${() => setMade(null)}>
      <p>The server at <strong class="any-text">${made.url}</strong> verifies messages with it.</p>
    <//>`
    }
    ${list.error && html`<${Failure} error=${list.error} retry=${list.reload} />`}
    ${!list.rows && !list.error && html`<${Loading} />`}
    ${
      list.rows?.length === 0 &&
      html`<${Empty} title="This caller has no endpoint">
      <p>Create one for a URL of your app. It is then told when jobs end, instead of asking.</p>
    <//>`
    }
    ${
      list.rows &&
      list.rows.length > 0 &&
      html`
      <${Table} caption="Endpoints" columns=${COLUMNS} rows=${list.rows} rowKey=${(/** @type {Api["EndpointView"]} */ it) => it.id} />
      <${More} more=${list.more} />`
    }
    ${isNew && html`<${EndpointForm} onClose=${() => setNew(false)} onSaved=${onSaved} />`}
  <//>`;
}
