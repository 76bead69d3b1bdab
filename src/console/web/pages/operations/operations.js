// Operations: what the service is doing, and what an operator can do about it.
import { html } from "../../lib/html.js";
import { useSession } from "../../lib/session.js";
import { Page } from "../../parts/page.js";
import { Empty, NoScope } from "../../parts/states.js";
import { Tabs } from "../../parts/tabs.js";
import { Callers } from "./callers.js";
import { Configuration } from "./configuration.js";
import { Deliveries } from "./deliveries.js";
import { Drift } from "./drift.js";
import { Keys } from "./keys.js";
import { Overview } from "./overview.js";
import { Provider } from "./provider.js";
import { Storage } from "./storage.js";

const PARTS = [
  { id: "overview", title: "Overview", page: Overview },
  { id: "provider", title: "Provider", page: Provider },
  { id: "deliveries", title: "Deliveries", page: Deliveries },
  { id: "drift", title: "Drift", page: Drift },
  { id: "storage", title: "Storage", page: Storage },
  { id: "callers", title: "Callers", page: Callers },
  { id: "keys", title: "Keys", page: Keys },
  { id: "configuration", title: "Configuration", page: Configuration },
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
      ${
        !shown
          ? html`<${Empty} title="There is no such page">Choose one of the pages above.<//>`
          : scopes.includes("admin:read")
            ? html`<${shown.page} />`
            : html`<${NoScope} scope="admin:read" what="operations" />`
      }
    <//>
  `;
}
