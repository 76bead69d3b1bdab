// Conversations: what they are like, over time and by tag, language, type, emotion and topic.
import { html, useMemo } from "../lib/html.js";
import { withQuery } from "../lib/query.js";
import { Link, useQuery } from "../lib/router.js";
import { may, useSession } from "../lib/session.js";
import { Page } from "../parts/page.js";
import { Empty, Failure, Loading, NoScope } from "../parts/states.js";
import { Controls } from "./conversations/controls.js";
import { today as dayOfToday } from "./conversations/days.js";
import { Facets } from "./conversations/facets.js";
import { Figures } from "./conversations/figures.js";
import { shown as shownBy } from "./conversations/filters.js";
import { Emotions, OverTime } from "./conversations/over-time.js";
import { useStats } from "./conversations/stats.js";
import { Topics } from "./conversations/topics.js";

/** @import { Shown } from "./conversations/filters.js" */

export function Conversations() {
  const session = useSession();
  const mayRead = may(session, "stats:read");
  const [query, set] = useQuery();
  const today = dayOfToday();
  const wanted = useMemo(() => shownBy(query, today), [query, today]);
  const { shown, stats, error, isLoading, reload } = useStats(mayRead ? wanted : null);
  if (!mayRead) {
    return html`<${Page} title="Conversations">
      <${NoScope} scope="stats:read" what="statistics" />
    <//>`;
  }
  return html`
    <${Page} title="Conversations" class="conversations" actions=${html`<${JobsLink} shown=${wanted} />`}>
      <${Controls} shown=${wanted} today=${today} query=${query} set=${set} />
      ${error && html`<${Failure} error=${error} retry=${reload} />`}
      ${!error && !stats && html`<${Loading} lines=${6} />`}
      ${
        stats &&
        shown &&
        html`
        <div class=${`conversation-content ${isLoading ? "is-loading" : ""}`} aria-busy=${isLoading ? "true" : "false"}>
          ${
            stats.all.data.length === 0
              ? html`<${NoConversations} shown=${shown} set=${set} />`
              : html`
                <${Figures} shown=${shown} stats=${stats} />
                <${OverTime} shown=${shown} stats=${stats} today=${today} set=${set} />
                <${Emotions} shown=${shown} stats=${stats} set=${set} />
                <${Facets} shown=${shown} stats=${stats} set=${set} />
                <${Topics} shown=${shown} stats=${stats} set=${set} />
              `
          }
        </div>`
      }
    <//>
  `;
}

/** The same conversations as a list. @param {{shown: Shown}} props */
function JobsLink({ shown }) {
  const filters = {
    createdAfter: `${shown.from}T00:00:00Z`,
    createdBefore: `${shown.to}T00:00:00Z`,
    tag: shown.tag,
    language: shown.language,
    audioType: shown.audioType,
    hasEmotion: shown.emotion,
  };
  return html`<${Link} class="button plain" href=${withQuery("/console/jobs", filters)}>Show these jobs<//>`;
}

/** @param {{shown: Shown, set: (changes: import("../lib/query.js").Params) => void}} props */
function NoConversations({ shown, set }) {
  const isFiltered = shown.tag || shown.language || shown.audioType;
  const showYear = () => set({ days: 365, from: null, to: null });
  return html`
    <${Empty} title="No conversation ended in these days">
      <p>
        ${
          isFiltered
            ? "No finished job matches the filters. Remove one of them, or choose other days."
            : "Jobs appear here once they have ended, on the day on which they were submitted."
        }
      </p>
      <p class="state-actions">
        ${shown.days !== 365 && html`<button type="button" class="button plain" onClick=${showYear}>Show 12 months</button>`}
        <${Link} class="button plain" href="/console/jobs">Go to jobs<//>
      </p>
    <//>
  `;
}
