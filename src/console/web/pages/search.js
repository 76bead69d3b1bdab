// Search in what was said in all conversations.
import { duration, number, Time } from "../lib/format.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { Marked } from "../lib/marks.js";
import { Link, useQuery } from "../lib/router.js";
import { Button } from "../parts/button.js";
import { Chips } from "../parts/chips.js";
import { Icon } from "../parts/icon.js";
import { Page } from "../parts/page.js";
import { Empty, Failure, Loading } from "../parts/states.js";
import { JOB_FIELDS, toParams, withoutFilters } from "./jobs/filters.js";
import { groupsOf, momentOf, useHits } from "./search/hits.js";

/** @typedef {import("./search/hits.js").Hit} Hit */

/** An utterance's own emotion and speaker, then what its call must be like. @type {import("../parts/chips.js").Field[]} */
const FIELDS = [
  { name: "emotion", label: "said with", suggest: JOB_FIELDS.find(({ name }) => name === "hasEmotion")?.suggest },
  { name: "speaker", label: "speaker", suggest: async () => [] },
  ...JOB_FIELDS.filter(({ name }) => name !== "status").map((field) =>
    field.name === "hasEmotion" ? { ...field, label: "call has emotion" } : field,
  ),
];

const RELEVANCE = "relevance";
const NEWEST = "-createdAt";

/** Milliseconds without a key after which the search begins. */
const TYPING_PAUSE = 250;

const EXAMPLES = [
  { q: "refund", what: "the word in any form: refunds, refunded" },
  { q: '"double charge"', what: "words in a row" },
  { q: "refund or invoice", what: "one or the other" },
  { q: "invoice -number", what: "the first without the second" },
];

export function Search() {
  const [query, setQuery] = useQuery();
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const results = useRef(/** @type {HTMLDivElement | null} */ (null));
  const q = (query.get("q") ?? "").trim();
  const sort = query.get("sort") === NEWEST ? NEWEST : RELEVANCE;
  const filter = toParams(query, FIELDS);
  const found = useHits(q === "" ? null : { q, sort, ...filter });
  const hasFilters = Object.keys(filter).length > 0;

  // After the page's title, which takes the focus otherwise. Those who come back to hits want to read them.
  useEffect(() => {
    if (q === "") input.current?.focus();
  }, []);

  const links = () => /** @type {HTMLElement[]} */ ([...(results.current?.querySelectorAll("a.hit") ?? [])]);
  /** @param {number} step */
  function move(step) {
    const all = links();
    const to = all.indexOf(/** @type {HTMLElement} */ (document.activeElement)) + step;
    if (to < 0) input.current?.focus();
    else all[Math.min(to, all.length - 1)]?.focus();
  }
  useKeys([
    {
      key: "/",
      what: "search",
      run: () => {
        input.current?.focus();
        input.current?.select();
      },
    },
    { key: "ArrowDown", what: "next hit", run: () => move(1) },
    { key: "ArrowUp", what: "previous hit", run: () => move(-1) },
    {
      key: "f",
      what: "filter",
      run: () => /** @type {HTMLElement | null} */ (document.querySelector(".search .chips input"))?.focus(),
    },
  ]);

  return html`<${Page} title=${q === "" ? "Search" : `${q} · Search`} heading="Search" class="search">
    <${SearchField} q=${q} input=${input} onDown=${() => links()[0]?.focus()}
      onSearch=${(/** @type {string} */ text, /** @type {boolean} */ isFinal) => setQuery({ q: text }, { replace: !isFinal })} />
    <div class="search-filters">
      <${Chips} fields=${FIELDS} values=${query} onChange=${setQuery} />
      <label class="search-order"><span class="visually-hidden">Order</span>
        <select value=${sort} onChange=${(/** @type {Event} */ event) => {
          const chosen = /** @type {HTMLSelectElement} */ (event.currentTarget).value;
          setQuery({ sort: chosen === NEWEST ? NEWEST : undefined });
        }}>
          <option value=${RELEVANCE}>Best first</option>
          <option value=${NEWEST}>Newest calls first</option>
        </select>
      </label>
    </div>
    <div class="search-results" ref=${results}>
      ${
        q === ""
          ? html`<${Examples} onChoose=${(/** @type {string} */ example) => setQuery({ q: example })} />`
          : html`<${Results} found=${found} hasFilters=${hasFilters} onWithoutFilters=${() => setQuery(withoutFilters(FIELDS))} />`
      }
    </div>
  <//>`;
}

/**
 * Searches while the reader types; the history of the browser gets what was confirmed with Enter.
 * @param {{
 *   q: string,
 *   input: { current: HTMLInputElement | null },
 *   onSearch: (text: string, isFinal: boolean) => void,
 *   onDown: () => void,
 * }} props
 */
function SearchField({ q, input, onSearch, onDown }) {
  const [text, setText] = useState(q);
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  // The URL may change by itself: an example, or the browser's way back.
  useEffect(() => {
    if (q !== text.trim()) setText(q);
  }, [q]);
  useEffect(() => () => clearTimeout(timer.current), []);

  /** @param {string} typed @param {boolean} isFinal */
  function search(typed, isFinal) {
    clearTimeout(timer.current);
    if (isFinal) onSearch(typed.trim(), true);
    else timer.current = setTimeout(() => onSearch(typed.trim(), false), TYPING_PAUSE);
  }

  return html`<form class="search-field" role="search" onSubmit=${(/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    search(text, true);
  }}>
    <${Icon} name="search" />
    <input ref=${input} type="search" aria-label="Search in all conversations" placeholder="What was said …" maxlength="500"
      autocomplete="off" autocapitalize="none" value=${text}
      onInput=${(/** @type {InputEvent} */ event) => {
        const typed = /** @type {HTMLInputElement} */ (event.currentTarget).value;
        setText(typed);
        search(typed, false);
      }}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "ArrowDown") return;
        event.preventDefault();
        onDown();
      }} />
  </form>`;
}

/** @param {{ onChoose: (q: string) => void }} props */
function Examples({ onChoose }) {
  return html`<div class="search-examples">
    <h2>Find what was said in any call, and listen to it there</h2>
    <ul>
      ${EXAMPLES.map(
        ({ q, what }) => html`<li key=${q}>
        <button type="button" class="button" onClick=${() => onChoose(q)}>${q}</button> <span class="muted">${what}</span>
      </li>`,
      )}
    </ul>
    <p class="muted"><kbd>/</kbd> goes to the field, <kbd>↓</kbd> and <kbd>↑</kbd> move between hits, <kbd>Enter</kbd> opens the call at the moment.</p>
  </div>`;
}

/**
 * @param {{ found: ReturnType<typeof useHits>, hasFilters: boolean, onWithoutFilters: () => void }} props
 */
function Results({ found, hasFilters, onWithoutFilters }) {
  const { hits, error, hasMore, isLoading } = found;
  if (error) return html`<${Failure} error=${error} retry=${found.reload} />`;
  if (isLoading && hits.length === 0) return html`<${Loading} lines=${6} />`;
  if (hits.length === 0) {
    return html`<${Empty} title="Nothing like that was said.">
      <p>All words must occur in one utterance. Try fewer of them, or <code>one or other</code>.</p>
      ${hasFilters && html`<${Button} onClick=${onWithoutFilters}>Search without filters<//>`}
    <//>`;
  }
  const calls = new Set(hits.map(({ jobId }) => jobId)).size;
  const count = `${hasMore ? "The first " : ""}${hits.length === 1 ? "1 hit" : `${number(hits.length)} hits`}, in ${calls === 1 ? "1 call" : `${number(calls)} calls`}`;
  return html`<p class="muted" role="status">${count}</p>
    <div class=${isLoading ? "hits is-loading" : "hits"} aria-busy=${isLoading}>
      ${groupsOf(hits).map(
        (group, at) => html`<div key=${`${at} ${group.job}`} class="hit-group">
        <h2><${Link} href=${`/console/jobs/${group.job}`} class="one-line">${nameOf(group)}<//><${Time} at=${group.at} /></h2>
        <ul>${group.hits.map((hit) => html`<li key=${hit.seq}><${HitLink} hit=${hit} /></li>`)}</ul>
      </div>`,
      )}
    </div>
    ${hasMore && html`<${Button} class="more" onClick=${found.more}>Show more<//>`}`;
}

/** @param {import("./search/hits.js").Group} group */
const nameOf = ({ externalId, job }) => externalId ?? `…${job.slice(-8)}`;

/** @param {{ hit: Hit }} props */
function HitLink({ hit }) {
  const { start, speaker, speakerId, emotion, snippet } = hit;
  return html`<${Link} class="hit" href=${momentOf(hit)}>
    <span class="hit-time numbers">${duration(start)}</span>
    <span class="hit-said">
      <span class="hit-who"><bdi>${speaker ?? (speakerId == null ? "" : `Speaker ${speakerId}`)}</bdi>${emotion && html` <${Emotion} name=${emotion} />`}</span>
      <span class="hit-text any-text"><${Marked} snippet=${snippet} /></span>
    </span>
  <//>`;
}

/** @param {{ name: string }} props */
function Emotion({ name }) {
  const slug = name.toLowerCase().replace(/[^a-z]/g, "");
  return html`<span class="hit-emotion"><span class="hit-emotion-mark" style=${{ background: `var(--emotion-${slug}, var(--muted))` }} aria-hidden="true" />${name}</span>`;
}
