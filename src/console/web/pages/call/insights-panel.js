// Summaries, topics, tasks, questions and phrases, each with the moments it is based on.
import { number } from "../../lib/format.js";
import { html, useMemo, useState } from "../../lib/html.js";
import { Empty, Failure, Loading } from "../../parts/states.js";
import { assigneeOf, byName, phrasesOf, spaced } from "./insights.js";
import { MomentButton } from "./moment-button.js";
import { RawLink } from "./raw-link.js";

/** @typedef {import("./call-data.js").CallData} CallData */
/** @typedef {(seconds: number) => void} Go */

/** @type {Record<string, string>} */
const TITLES = {
  AbstractiveSummaryShort: "Summary",
  AbstractiveSummaryLong: "Part by part",
  ExtractiveSummary: "Key sentences",
  KeyPhrases: "Key phrases",
};

/** Values that recur are shown once, with all of their moments. */
const PHRASES = ["KeyPhrases", "Topics"];

/** How much of a list is shown before the reader asks for all of it. */
const FIRST = 12;
const FIRST_MOMENTS = 5;

/** @param {{ call: CallData, error: any, retry: () => void, onGo: Go }} props */
export function InsightsPanel({ call, error, retry, onGo }) {
  const { insights, speakers } = call;
  if (!insights) return error ? html`<${Failure} error=${error} retry=${retry} />` : html`<${Loading} />`;
  return html`<${Insights} call=${call} insights=${insights} speakers=${speakers} onGo=${onGo} />
    <${RawLink} paths=${[`/v1/jobs/${call.id}/insights`, `/v1/jobs/${call.id}/speakers`]} />`;
}

/** @param {{ call: CallData, insights: readonly import("./insights.js").Insight[], speakers: readonly any[], onGo: Go }} props */
function Insights({ call, insights, speakers, onGo }) {
  const sections = useMemo(() => byName(insights), [insights]);
  const askers = speakers.filter(({ questions }) => questions.length > 0);
  if (sections.size === 0 && askers.length === 0) {
    return html`<${Empty} title="The provider found no insights in this call." />`;
  }
  const parts = [...sections].map(([name, own]) => ({
    name,
    view: html`<${Section} key=${name} name=${name} own=${own} call=${call} onGo=${onGo} />`,
  }));
  // Questions stand where one looks for them: after the tasks.
  const last = parts.findLastIndex(
    ({ name }) => name.startsWith("Abstractive") || name === "Topics" || name === "Tasks",
  );
  const views = parts.map(({ view }) => view);
  if (askers.length > 0)
    views.splice(last + 1, 0, html`<${Questions} key="questions" askers=${askers} call=${call} onGo=${onGo} />`);
  return html`<div class="insights">${views}</div>`;
}

/** @param {{ name: string, own: import("./insights.js").Insight[], call: CallData, onGo: Go }} props */
function Section({ name, own, call, onGo }) {
  return html`<section>
    <h2 class="one-line"><bdi>${TITLES[name] ?? spaced(name)}</bdi> ${own.length > 1 && html`<span class="count">${number(own.length)}</span>`}</h2>
    ${
      PHRASES.includes(name)
        ? html`<${Phrases} own=${own} call=${call} onGo=${onGo} />`
        : html`<${Some} items=${own} class="insight-list" draw=${(/** @type {any} */ insight) => html`<${Item} insight=${insight} call=${call} onGo=${onGo} />`} />`
    }
  </section>`;
}

/** @param {{ insight: import("./insights.js").Insight, call: CallData, onGo: Go }} props */
function Item({ insight, call, onGo }) {
  const moment = call.momentOf(insight);
  const assignee = assigneeOf(insight);
  return html`<li class="insight">
    ${moment && html`<${MomentButton} start=${moment.start} what=${insight.value} onGo=${onGo} />`}
    <div>
      <${LongText} text=${insight.value} />
      ${assignee !== null && html`<p class="muted any-text">for ${call.cast.nameOf(assignee).slice(0, LONG)}</p>`}
      ${
        assignee === null &&
        insight.speakerId !== null &&
        insight.speakerId !== undefined &&
        html`<p class="muted any-text">${call.cast.nameOf(insight.speakerId)}</p>`
      }
    </div>
  </li>`;
}

/** @param {{ own: import("./insights.js").Insight[], call: CallData, onGo: Go }} props */
function Phrases({ own, call, onGo }) {
  const phrases = useMemo(() => phrasesOf(own, call.momentOf), [own, call.momentOf]);
  return html`<${Some}
    items=${phrases}
    class="phrase-list"
    draw=${(/** @type {import("./insights.js").Phrase} */ phrase) => html`<${Phrase} phrase=${phrase} onGo=${onGo} />`}
  />`;
}

/** @param {{ phrase: import("./insights.js").Phrase, onGo: Go }} props */
function Phrase({ phrase: { value, moments }, onGo }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? moments : moments.slice(0, FIRST_MOMENTS);
  return html`<li class="phrase">
    <span class="any-text">${value.length > LONG ? `${value.slice(0, LONG)}…` : value}</span>
    <span class="moments">
      ${shown.map(({ start }) => html`<${MomentButton} start=${start} what=${value} onGo=${onGo} />`)}
      ${
        shown.length < moments.length &&
        html`<button type="button" class="button quiet small" onClick=${() => setWhole(true)}>+${number(moments.length - shown.length)}</button>`
      }
    </span>
  </li>`;
}

/** @param {{ askers: readonly any[], call: CallData, onGo: Go }} props */
function Questions({ askers, call, onGo }) {
  return html`<section>
    <h2>Questions <span class="count">${number(askers.reduce((sum, { questions }) => sum + questions.length, 0))}</span></h2>
    ${askers.map(
      ({ speakerId, questions }) =>
        html`<div key=${speakerId} class="asker">
          <h3><span class="speaker-dot" style=${{ background: `var(${call.cast.colorOf(speakerId)})` }}></span><bdi class="one-line">${call.cast.nameOf(speakerId)}</bdi></h3>
          <${Some}
            items=${questions}
            class="insight-list"
            draw=${(/** @type {any} */ { text, start }) =>
              html`<li class="insight">
                ${typeof start === "number" && html`<${MomentButton} start=${start} what=${text} onGo=${onGo} />`}
                <${LongText} text=${text} />
              </li>`}
          />
        </div>`,
    )}
  </section>`;
}

/** More characters than this are shown when the reader asks for them. */
const LONG = 600;

/** A text that may be longer than anyone wants to scroll past. @param {{ text: string }} props */
function LongText({ text }) {
  const [isWhole, setWhole] = useState(false);
  if (isWhole || text.length <= LONG) return html`<p class="any-text">${text}</p>`;
  return html`<p class="any-text">
    ${text.slice(0, LONG)}… <button type="button" class="button quiet small" onClick=${() => setWhole(true)}>Show all</button>
  </p>`;
}

/** The beginning of a list, and all of it when the reader asks. @param {{ items: readonly any[], class: string, draw: (item: any) => any }} props */
function Some({ items, class: name, draw }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? items : items.slice(0, FIRST);
  return html`<ul class=${name}>${shown.map(draw)}</ul>
    ${
      shown.length < items.length &&
      html`<button type="button" class="button quiet small" onClick=${() => setWhole(true)}>Show all ${number(items.length)}</button>`
    }`;
}
