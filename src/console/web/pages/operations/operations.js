// Operations: what the service is doing, and what an operator can do about it.
import { html } from "../../lib/html.js";
import { useSession } from "../../lib/session.js";
import { Page } from "../../parts/page.js";
import { Empty } from "../../parts/states.js";
import { Tabs } from "../../parts/tabs.js";
import { Callers } from "./callers.js";
import { Configuration } from "./configuration.js";
import { Deliveries } from "./deliveries.js";
import { Drift } from "./drift.js";
import { Endpoints } from "./endpoints.js";
import { Keys } from "./keys.js";
import { Overview } from "./overview.js";
import { Provider } from "./provider.js";
import { Storage } from "./storage.js";

const PARTS = [
  { id: "overview", title: "Overview", scope: "admin:read", page: Overview },
  { id: "provider", title: "Provider", scope: "admin:read", page: Provider },
  { id: "deliveries", title: "Deliveries", scope: "admin:read", page: Deliveries },
  { id: "drift", title: "Drift", scope: "admin:read", page: Drift },
  { id: "storage", title: "Storage", scope: "admin:read", page: Storage },
  { id: "callers", title: "Callers", scope: "admin:read", page: Callers },
  { id: "keys", title: "Keys", scope: "admin:read", page: Keys },
  { id: "endpoints", title: "Endpoints", scope: "notify:write", page: Endpoints },
  { id: "configuration", title: "Configuration", scope: "admin:read", page: Configuration },
];

const tabs = PARTS.map(({ id, title }) => ({
  id,
  title,
  href: `/console/operations${id === "overview" ? "" : `/${id}`}`,
}));

/** @param {{part?: string}} props */
export function Operations({ part = "overview" }) {
  const { scopes } = useSession();
  const shown = PARTS.find((it) => it.id === part);
  const heading = html`Operations<span class="visually-hidden">: ${shown?.title ?? "not found"}</span>`;
  return html`
    <${Page} title=${shown ? `${shown.title} · Operations` : "Operations"} heading=${heading} class="operations">
      <${Tabs} label="Operations" tabs=${tabs} selected=${part} />
      ${!shown && html`<${Empty} title="There is no such page">Choose one of the pages above.<//>`}
      ${
        shown &&
        !scopes.includes(shown.scope) &&
        html`<${Empty} title=${`This key may not see ${shown.title.toLowerCase()}`}>
        <p>Sign in with a key that has the scope <code>${shown.scope}</code>.</p>
      <//>`
      }
      ${shown && scopes.includes(shown.scope) && html`<${shown.page} />`}
    <//>
  `;
}
