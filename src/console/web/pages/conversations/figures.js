// The numbers of all conversations shown, and how they differ from the days before.
import { number } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { daysBetween } from "./days.js";
import { formatOf, signedPercent } from "./formats.js";
import { change, measure } from "./measures.js";

/** @import { Shown } from "./filters.js" */
/** @import { AllStats } from "./stats.js" */

const FIGURES = ["jobs", "hours", "length", "talk", "questions", "pace"].map(measure);

/** @param {{shown: Shown, stats: AllStats}} props */
export function Figures({ shown, stats }) {
  const now = stats.all.data[0].measures;
  const earlier = stats.earlier.data[0]?.measures;
  const days = daysBetween(shown.from, shown.to);
  const than = days === 1 ? "the day before" : `the ${number(days)} days before`;
  return html`
    <section aria-label="All conversations shown">
    <dl class="figures">
      ${FIGURES.map((it) => {
        const changed = earlier ? change(it.of(now), it.of(earlier)) : null;
        return html`<div key=${it.name} class="panel figure">
          <dt>${it.label}</dt>
          <dd>
            <span class="figure-value">${formatOf(it.unit)(it.of(now))}</span>
            ${changed !== null && html`<span class="figure-change" title=${`${formatOf(it.unit)(it.of(earlier ?? {}))} before`}>${signedPercent(changed)}</span>`}
          </dd>
        </div>`;
      })}
    </dl>
    ${earlier && html`<p class="section-about">Changes are from ${than}.</p>`}
    </section>
  `;
}
