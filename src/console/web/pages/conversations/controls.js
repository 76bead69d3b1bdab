// What the reader chooses: days, buckets, lines, filters.
import { get } from "../../lib/api.js";
import { html, useId } from "../../lib/html.js";
import { useKeys } from "../../lib/keys.js";
import { Button } from "../../parts/button.js";
import { Chips } from "../../parts/chips.js";
import { Choice, Select } from "../../parts/choice.js";
import { addDays, daysBetween, latest } from "./days.js";
import { FACETS, MOST_DAYS, PRESETS } from "./filters.js";

/** @import { Params } from "../../lib/query.js" */
/** @import { Shown } from "./filters.js" */

/** @param {{shown: Shown, today: string, query: URLSearchParams, set: (changes: Params) => void}} props */
export function Controls({ shown, today, query, set }) {
  const presets = PRESETS.map((it) => ({ value: String(it.days), label: it.label }));
  const buckets = [
    { value: "day", label: "Day" },
    { value: "week", label: "Week" },
  ];
  const splits = [
    { value: "", label: "all together" },
    ...FACETS.map((it) => ({ value: it.name, label: it.label.toLowerCase() })),
  ];
  return html`
    <div class="conversation-controls">
      <${Choice} label="Range" isLabelHidden options=${presets} value=${String(shown.days ?? "")}
        onChange=${(/** @type {string} */ days) => set({ days, from: null, to: null })} />
      <${Dates} shown=${shown} today=${today} set=${set} />
      <${Choice} label="By" options=${buckets} value=${shown.bucket}
        onChange=${(/** @type {string} */ bucket) => set({ bucket })} />
      <${Select} label="Lines" options=${splits} value=${shown.split}
        onChange=${(/** @type {string} */ split) => set({ split })} />
    </div>
    <${Chips} fields=${FIELDS} values=${query} onChange=${set} />
  `;
}

/** @param {{shown: Shown, today: string, set: (changes: Params) => void}} props */
function Dates({ shown, today, set }) {
  const [from, until] = [useId(), useId()];
  const last = addDays(shown.to, -1);
  /** @param {string} first @param {string} end */
  function choose(first, end) {
    if (!first || !end) return;
    // A range that ends before it begins is one day; the API has a limit, too.
    const to = addDays(latest(first, end), 1);
    const begin = daysBetween(first, to) > MOST_DAYS ? addDays(to, -MOST_DAYS) : first;
    set({ days: null, from: begin, to });
  }
  const days = daysBetween(shown.from, shown.to);
  /** @param {1 | -1} direction */
  const move = (direction) =>
    set({ days: null, from: addDays(shown.from, direction * days), to: addDays(shown.to, direction * days) });
  const isLast = shown.to > today;
  useKeys([
    { key: "[", what: "show the days before", group: "Conversations", run: () => move(-1) },
    { key: "]", what: "show the days after", group: "Conversations", run: () => !isLast && move(1) },
  ]);
  return html`
    <div class="dates">
      <label for=${from} class="visually-hidden">From</label>
      <input id=${from} type="date" value=${shown.from} max=${today}
        onChange=${(/** @type {any} */ event) => choose(event.currentTarget.value, last)} />
      <label for=${until}>to</label>
      <input id=${until} type="date" value=${last} max=${today}
        onChange=${(/** @type {any} */ event) => choose(shown.from, event.currentTarget.value)} />
      <${Button} kind="quiet" class="small" icon="left" aria-label="The days before" title="The days before: [" onClick=${() => move(-1)} />
      <${Button} kind="quiet" class="small" icon="right" aria-label="The days after" title="The days after: ]" disabled=${isLast}
        onClick=${() => move(1)} />
    </div>
  `;
}

const suggest = /** @param {string} field */ (field) => async (/** @type {string} */ q) =>
  (await get("/v1/suggestions", { field, q, limit: 10 })).data;

const FIELDS = [
  { name: "tag", label: "tag", suggest: suggest("tag") },
  { name: "language", label: "language", suggest: suggest("language") },
  {
    name: "audioType",
    label: "type",
    options: ["CallCenter", "Meeting", "EarningsCalls", "Interview", "PressConference", "Voicemail"],
  },
];
