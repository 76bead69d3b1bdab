// What the conversations are about, and what becomes more frequent.
import { number } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { withQuery } from "../../lib/query.js";
import { Bars } from "../../parts/bars.js";
import { Select } from "../../parts/choice.js";
import { INSIGHTS, ignored } from "./filters.js";
import { signedPercent } from "./formats.js";
import { risen } from "./series.js";

/** @import { Params } from "../../lib/query.js" */
/** @import { Shown } from "./filters.js" */
/** @import { AllStats } from "./stats.js" */

/** @param {{shown: Shown, stats: AllStats, set: (changes: Params) => void}} props */
export function Topics({ shown, stats, set }) {
  const insight = INSIGHTS.find((it) => it.name === shown.insight) ?? INSIGHTS[0];
  const options = INSIGHTS.map((it) => ({ value: it.name, label: it.label }));
  const { data, hasMore } = stats.insights;
  const rows = risen(data, stats.earlierInsights.data, !stats.earlierInsights.hasMore);
  const bars = rows.map(({ value, count, rise, isNew }) => ({
    name: value,
    value: count,
    text: number(count),
    href: withQuery("/console/search", { q: `"${value.replaceAll('"', " ")}"` }),
    more: rise !== null ? signedPercent(rise) : isNew ? "new" : "",
  }));
  const skipped = ignored("insights", shown);
  const notes = [
    skipped.length > 0 && `Not filtered by ${skipped.join(", ")}: these values are counted over all conversations.`,
    hasMore && `Only the ${data.length} most frequent are shown.`,
    "Values longer than 80 characters are not counted.",
  ].filter(Boolean);
  return html`
    <section aria-labelledby="topics">
      <div class="section-head">
        <h2 id="topics">What they are about</h2>
        <${Select} label="Show" options=${options} value=${shown.insight}
          onChange=${(/** @type {string} */ name) => set({ insight: name === "Topics" ? null : name })} />
      </div>
      <p class="section-about">
        Conversations in which the provider found each ${insight.one}, and the change from the same number of days before. Choose one to search for it.
      </p>
      <div class="panel">
        ${
          bars.length === 0
            ? html`<p class="chart-notes">The provider has found none in these days.</p>`
            : html`<${Bars} title=${`Conversations by ${insight.one}`} heads=${[insight.label, "Conversations", "Change"]} bars=${bars}
              action="Search for" />`
        }
        <p class="chart-notes">${notes.join(" ")}</p>
      </div>
    </section>
  `;
}
