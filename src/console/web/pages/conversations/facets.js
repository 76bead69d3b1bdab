// The conversations by tag, language and type.
import { html } from "../../lib/html.js";
import { Bars } from "../../parts/bars.js";
import { Select } from "../../parts/choice.js";
import { FACETS } from "./filters.js";
import { formatOf } from "./formats.js";
import { MEASURES, measure } from "./measures.js";

/** @import { Params } from "../../lib/query.js" */
/** @import { Shown } from "./filters.js" */
/** @import { AllStats } from "./stats.js" */

/** @param {{shown: Shown, stats: AllStats, set: (changes: Params) => void}} props */
export function Facets({ shown, stats, set }) {
  const options = MEASURES.map((it) => ({ value: it.name, label: it.label }));
  return html`
    <section aria-labelledby="facets">
      <div class="section-head">
        <h2 id="facets">Compared</h2>
        <${Select} label="by" options=${options} value=${shown.by} onChange=${(/** @type {string} */ by) => set({ by })} />
      </div>
      <p class="section-about">${measure(shown.by).about} Choose a name to show only its conversations.</p>
      <div class="bar-grid">
        ${FACETS.map((facet) => html`<${FacetBars} key=${facet.name} facet=${facet} shown=${shown} stats=${stats} set=${set} />`)}
      </div>
    </section>
  `;
}

/** @param {{facet: typeof FACETS[number], shown: Shown, stats: AllStats, set: (changes: Params) => void}} props */
function FacetBars({ facet, shown, stats, set }) {
  const it = measure(shown.by);
  const { data, hasMore } = stats[facet.name];
  const chosen = shown[facet.name];
  const bars = data.map(({ group, measures }) => ({
    name: group ?? facet.none,
    value: it.of(measures),
    text: formatOf(it.unit)(it.of(measures)),
    isChosen: group === chosen,
    choose: group ? () => set({ [facet.name]: group === chosen ? null : group }) : null,
  }));
  const notes = [
    hasMore && `Only the ${data.length} ${facet.many} with the most conversations are shown.`,
    facet.name === "tag" && "A conversation counts for each of its tags; those without a tag are left out.",
  ].filter(Boolean);
  return html`
    <div class="panel">
      <h3>${facet.label}</h3>
      ${
        bars.length === 0
          ? html`<p class="chart-notes">None of these conversations has ${facet.name === "tag" ? "a tag" : "one"}.</p>`
          : html`<${Bars} title=${`${it.label} by ${facet.label.toLowerCase()}`} heads=${[facet.label, it.label]} bars=${bars}
            action="Show only" />`
      }
      ${notes.length > 0 && html`<p class="chart-notes">${notes.join(" ")}</p>`}
    </div>
  `;
}
