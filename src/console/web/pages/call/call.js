// A call: what was said, how it sounded, what came of it, and what happened to its job.
import { post } from "../../lib/api.js";
import { duration, Time } from "../../lib/format.js";
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { useKeys } from "../../lib/keys.js";
import { may, useSession } from "../../lib/session.js";
import { useStore } from "../../lib/store.js";
import { Button } from "../../parts/button.js";
import { useConfirm } from "../../parts/confirm.js";
import { Menu } from "../../parts/menu.js";
import { Page } from "../../parts/page.js";
import { StateBadge } from "../../parts/state-badge.js";
import { Empty, Failure, Loaded, Loading } from "../../parts/states.js";
import { Tabs } from "../../parts/tabs.js";
import { useToast } from "../../parts/toast.js";
import { isFinal } from "./advice.js";
import { useCallData } from "./call-data.js";
import { viaText } from "./events.js";
import { Finder, hitFrom } from "./find.js";
import { InsightsPanel } from "./insights-panel.js";
import { hasResult, useJob, useResult } from "./load.js";
import { hashOf, momentOf } from "./moment.js";
import { createPlayer } from "./player.js";
import { PlayerBar } from "./player-bar.js";
import { SpeakerNames } from "./speaker-names.js";
import { Transcript } from "./transcript.js";
import { Expired, NotAllowed, NotFound, Waiting } from "./waiting.js";

/** @param {{ id: string }} props */
export function Call({ id }) {
  const { job, error, reload, changes } = useJob(id);
  if (!job) {
    const isMissing = error?.status === 404 || error?.status === 400;
    return html`<${Page} title="Call" class="call">
      ${isMissing ? html`<${NotFound} id=${id} />` : error ? html`<${Failure} error=${error} retry=${reload} />` : html`<${Loading} />`}
    <//>`;
  }
  return html`<${JobPage} job=${job} changes=${changes} reload=${reload} />`;
}

/** @param {any} job */
const titleOf = (job) => job.externalId || `Call ${job.id}`;

/** @param {{ job: any, changes: unknown, reload: () => Promise<void> }} props */
function JobPage({ job, changes, reload }) {
  const mayRead = may(useSession(), "transcript:read");
  const result = useResult(job, mayRead);
  const [player] = useState(createPlayer);
  const actions = html`<${Actions} job=${job} player=${player} isReadable=${result.utterances !== undefined} reload=${reload} />`;
  const heading = html`<bdi class="any-text">${titleOf(job)}</bdi>`;
  let content;
  if (!hasResult(job) || !mayRead) {
    content = html`<${Facts} job=${job} />
      ${hasResult(job) ? html`<${NotAllowed} />` : html`<${Waiting} job=${job} onChange=${reload} />`}
      <div class="panel"><${History} job=${job} changes=${changes} /></div>`;
  } else if (result.utterances) {
    content = html`<${FinishedCall} job=${job} result=${result} player=${player} utterances=${result.utterances} changes=${changes} reload=${reload} />`;
  } else if (result.error?.code === "result-expired") {
    // It has expired since the job was read.
    content = html`<${Facts} job=${job} /><${Expired} />`;
  } else if (result.error) {
    content = html`<${Failure} error=${result.error} retry=${result.reload} />`;
  } else {
    content = html`<${Facts} job=${job} /><${Loading} lines=${8} />`;
  }
  return html`<${Page} title=${titleOf(job)} heading=${heading} actions=${actions} class="call">${content}<//>`;
}

/** @param {{ job: any, seconds?: number, children?: any }} props */
function Facts({ job, seconds, children }) {
  return html`<div class="call-facts">
    <${StateBadge} state=${job.state} />
    ${seconds !== undefined && html`<span class="numbers">${duration(seconds)}</span>`}
    <span class="muted"><${Time} at=${job.createdAt} /></span>
    ${job.completedVia && html`<span class="muted">arrived ${viaText(job.completedVia)}</span>`}
    ${job.tags.length > 0 && html`<ul class="call-tags" aria-label="Tags">${job.tags.map((/** @type {string} */ tag) => html`<li key=${tag} class="tag one-line">${tag}</li>`)}</ul>`}
    ${children}
  </div>`;
}

/** @type {[format: string, name: string][]} */
const EXPORTS = [
  ["srt", "SubRip subtitles (srt)"],
  ["vtt", "WebVTT subtitles (vtt)"],
  ["txt", "Plain text (txt)"],
  ["md", "Markdown (md)"],
  ["csv", "Spreadsheet (csv)"],
  ["json", "JSON (json)"],
];

/** @param {{ job: any, player: import("./player.js").Player, isReadable: boolean, reload: () => Promise<void> }} props */
function Actions({ job, player, isReadable, reload }) {
  const session = useSession();
  const confirm = useConfirm();
  const toast = useToast();

  async function cancel() {
    const text =
      "Later deliveries are stored, but do not change it. A submission that has already begun may still be paid for.";
    if (!(await confirm({ title: "Cancel this job?", text, action: "Cancel the job", isDangerous: true }))) return;
    await post(`/v1/jobs/${job.id}/cancel`);
    await reload();
    toast("The job is canceled.");
  }

  async function share() {
    const seconds = player.seconds.get();
    const link = new URL(hashOf(seconds), window.location.href).href;
    window.history.replaceState(null, "", link);
    // Browsers have a clipboard on secure pages only.
    const isCopied = await navigator.clipboard?.writeText(link).then(
      () => true,
      () => false,
    );
    toast(
      isCopied
        ? `The link to ${duration(seconds)} is copied.`
        : `The address of this page now leads to ${duration(seconds)}: copy it.`,
    );
  }

  const exports = EXPORTS.map(([format, text]) => ({
    text,
    href: `/v1/jobs/${job.id}/transcript?format=${format}`,
    download: `${job.externalId || job.id}.${format}`,
  }));
  return html`${
    isReadable &&
    html`<${Button} icon="link" onClick=${share}>Copy link<//>
    <${Menu} label="Export" icon="download" items=${exports} />`
  }
    <a class="button plain" href=${isReadable ? job.links.result : job.links.self} target="_blank" rel="noopener">Raw JSON</a>
    ${!isFinal(job.state) && may(session, "jobs:write") && html`<${Button} kind="danger" onClick=${cancel}>Cancel job<//>`}`;
}

/**
 * @param {object} props
 * @param {any} props.job
 * @param {ReturnType<typeof useResult>} props.result
 * @param {readonly import("./turns.js").Utterance[]} props.utterances
 * @param {import("./player.js").Player} props.player
 * @param {unknown} props.changes
 * @param {() => Promise<void>} props.reload
 */
function FinishedCall({ job, result, utterances, player, changes, reload }) {
  const session = useSession();
  const failure = useStore(player.failure);
  const peaks = result.peaks.data;
  const call = useCallData(job.id, {
    utterances,
    speakers: result.speakers.data?.data,
    insights: result.insights.data?.data,
    shape: result.shape.data,
    recorded: peaks?.durationSeconds ?? 0,
  });
  // The first reader of a recording waits for its peaks, but can listen meanwhile.
  const hasSound = job.media && result.peaks.error?.status !== 404 && failure === "";
  const sound = hasSound ? `/v1/media/${job.media}` : null;
  const bar = useRef(/** @type {HTMLElement | null} */ (null));
  const reveal = useRef(/** @type {Reveal | null} */ (null));
  const covered = useCallback(() => coveredBy(bar.current), []);
  const isWide = useWide();
  const [chosen, setChosen] = useState("");
  const tab = chosen === "" || (isWide && chosen === "transcript") ? (isWide ? "insights" : "transcript") : chosen;

  const go = useCallback(
    (/** @type {number} */ seconds) => {
      player.playFrom(seconds);
      reveal.current?.(Math.max(0, call.places.at(seconds)), true);
      // Where there is no room for both, the transcript takes the place of what led to it, and begins at this moment.
      if (!isWide) setChosen("transcript");
    },
    [player, call.places, isWide],
  );
  const columns = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    // Another tab begins at its beginning, however far the last one was scrolled; the transcript finds its own place.
    if (isWide || tab === "transcript" || !columns.current) return;
    const above = columns.current.getBoundingClientRect().top - coveredBy(bar.current);
    if (above < 0) window.scrollBy({ top: above, behavior: "instant" });
  }, [tab, isWide]);
  const find = useFind(call, player, reveal);
  useMoment(call, player, reveal);
  useCallKeys(player, sound !== null, find);

  const mayName = may(session, "jobs:write") && may(session, "transcript:read");
  const tabs = [
    ...(isWide ? [] : [{ id: "transcript", title: "Transcript" }]),
    { id: "insights", title: "Insights" },
    { id: "numbers", title: "Numbers" },
    { id: "history", title: "History" },
  ];

  const transcript =
    utterances.length > 0
      ? html`<${Transcript} call=${call} player=${player} hits=${find.hits} hit=${find.hit} hasSound=${sound !== null} covered=${covered} reveal=${reveal} />`
      : html`<${Empty} title="Nothing was said in this recording." />`;

  return html`<${Facts} job=${job} seconds=${call.duration}>
      <${SpeakerNames} job=${job} speakers=${call.speakers} cast=${call.cast} mayName=${mayName} onNamed=${reload} />
    <//>
    ${failure && html`<p class="muted" role="status">${failure}</p>`}
    <${PlayerBar}
      bar=${bar}
      call=${call}
      player=${player}
      sound=${sound}
      channels=${(sound && peaks?.channels) || NO_CHANNELS}
      hits=${find.hits}
      onGo=${go}
      find=${find.box}
    />
    <div ref=${columns} class="call-columns">
      ${isWide && transcript}
      <section class="call-side" aria-label="About this call">
        <${Tabs} label="About this call" tabs=${tabs} selected=${tab} onSelect=${setChosen}>
          ${tab === "transcript" && transcript}
          ${tab === "insights" && html`<${InsightsPanel} call=${call} error=${result.insights.error} retry=${result.insights.reload} onGo=${go} />`}
          ${tab === "numbers" && html`<${Numbers} call=${call} error=${result.shape.error} retry=${result.shape.reload} onGo=${go} />`}
          ${tab === "history" && html`<${History} job=${job} changes=${changes} />`}
        <//>
      </section>
    </div>`;
}

// What few readers look at is not loaded before.
/** @param {object} props of the panel */
const Numbers = (props) =>
  html`<${Loaded} load=${() => import("./numbers-panel.js")} name="NumbersPanel" props=${props} />`;
/** @param {object} props of the panel */
const History = (props) =>
  html`<${Loaded} load=${() => import("./history-panel.js")} name="HistoryPanel" props=${props} />`;

/** @typedef {(utterance: number, follows: boolean) => void} Reveal brings an utterance into view */

/** Until peaks arrive, and without sound. @type {readonly any[]} */
const NO_CHANNELS = [];

/** Pixels at the top of the window that lie over the page: the player and, on narrow screens, the tabs below it. @param {HTMLElement | null} bar */
function coveredBy(bar) {
  if (!bar) return 0;
  const { position, top } = getComputedStyle(bar);
  if (position !== "sticky") return 0;
  const tabs = /** @type {HTMLElement | null} */ (
    bar.parentElement?.querySelector(".call-side:has(.transcript) > .tabs")
  );
  return parseFloat(top) + bar.offsetHeight + (tabs?.offsetHeight ?? 0);
}

/** Whether the transcript and what is beside it fit next to each other, as in `call.css`. */
function useWide() {
  const [query] = useState(() => matchMedia("(min-width: 64rem)"));
  const [isWide, setWide] = useState(query.matches);
  useEffect(() => {
    const update = () => setWide(query.matches);
    query.addEventListener("change", update);
    return () => query.removeEventListener("change", update);
  }, [query]);
  return isWide;
}

/**
 * Finding words, and going from hit to hit.
 * @param {import("./call-data.js").CallData} call
 * @param {import("./player.js").Player} player
 * @param {{ current: Reveal | null }} reveal
 */
function useFind({ utterances, places }, player, reveal) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [query, setQuery] = useState("");
  const [hit, setHit] = useState(-1);
  const finder = useMemo(() => new Finder(utterances), [utterances]);
  const hits = useMemo(() => finder.find(query), [finder, query]);

  /** @param {readonly import("./find.js").Hit[]} among @param {number} index */
  function select(among, index) {
    setHit(index);
    if (among[index]) reveal.current?.(among[index].utterance, false);
  }
  const step = (/** @type {1 | -1} */ by) => {
    if (hits.length > 0) select(hits, (hit + by + hits.length) % hits.length);
  };
  const onQuery = (/** @type {string} */ next) => {
    setQuery(next);
    const found = finder.find(next);
    select(found, hitFrom(found, Math.max(0, places.at(player.seconds.get()))));
  };
  const focus = () => {
    input.current?.focus();
    input.current?.select();
  };
  const box = { input, query, count: hits.length, hit, onQuery, onStep: step, onLeave: () => input.current?.blur() };
  return { hits, hit, step, focus, box };
}

/**
 * Goes to the moment that the address names.
 * @param {import("./call-data.js").CallData} call
 * @param {import("./player.js").Player} player
 * @param {{ current: Reveal | null }} reveal
 */
function useMoment({ places }, player, reveal) {
  useEffect(() => {
    function go() {
      const moment = momentOf(window.location.hash);
      if (moment === null) return;
      player.seek(moment);
      reveal.current?.(Math.max(0, places.at(moment)), true);
    }
    go();
    window.addEventListener("hashchange", go);
    return () => window.removeEventListener("hashchange", go);
  }, [places, player]);
}

/** Seconds that an arrow key moves. */
const STEP = 5;

/**
 * @param {import("./player.js").Player} player
 * @param {boolean} hasSound
 * @param {{ step: (by: 1 | -1) => void, focus: () => void }} find
 */
function useCallKeys(player, hasSound, find) {
  const group = "In a call";
  const sound = [
    { key: " ", what: "play or pause", group, run: player.toggle },
    { key: "ArrowLeft", what: `${STEP} seconds back`, group, run: () => player.seek(player.seconds.get() - STEP) },
    { key: "ArrowRight", what: `${STEP} seconds ahead`, group, run: () => player.seek(player.seconds.get() + STEP) },
  ];
  useKeys([
    ...(hasSound ? sound : []),
    { key: "/", what: "find words in the call", group, run: find.focus },
    { key: "j", what: "next hit", group, run: () => find.step(1) },
    { key: "k", what: "previous hit", group, run: () => find.step(-1) },
  ]);
}
