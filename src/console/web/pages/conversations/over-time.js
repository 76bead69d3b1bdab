// Charts over time.
import { percent } from "../../lib/format.js";
import { html, useMemo } from "../../lib/html.js";
import { withQuery } from "../../lib/query.js";
import { Link } from "../../lib/router.js";
import { TimeChart } from "./chart.js";
import { starts, within } from "./days.js";
import { edges, FACETS, ignored } from "./filters.js";
import { formatOf } from "./formats.js";
import { measure, ratio } from "./measures.js";
import { aligned, shares } from "./series.js";

/** @import { Params } from "../../lib/query.js" */
/** @import { Line } from "./chart.js" */
/** @import { Shown } from "./filters.js" */
/** @import { Sums } from "./measures.js" */
/** @import { AllStats } from "./stats.js" */

const CHARTS = ["jobs", "talk", "pace", "questions", "length", "interruptions"].map(measure);

/** @type {{name: string, color: string, of: (sums: Sums) => number}[]} */
const ENDS = [
  { name: "completed", color: "--accent", of: (sums) => sums.completed ?? 0 },
  { name: "failed", color: "--bad", of: (sums) => sums.failed ?? 0 },
  { name: "timed out", color: "--warn", of: (sums) => sums.timedOut ?? 0 },
  { name: "canceled", color: "--muted", of: (sums) => sums.canceled ?? 0 },
];

/** Shows the days of some buckets only. @param {Shown} shown @param {(changes: Params) => void} set */
const picker = (shown, set) => /** @param {string} first @param {string} last */ (first, last) => {
  const { from } = within(first, shown.bucket, shown);
  const { to } = within(last, shown.bucket, shown);
  set({ days: null, from, to, bucket: null });
};

/** @param {{shown: Shown, stats: AllStats, today: string, set: (changes: Params) => void}} props */
export function OverTime({ shown, stats, today, set }) {
  const buckets = useMemo(() => starts(shown.from, shown.to, shown.bucket), [shown]);
  const charts = useMemo(
    () => CHARTS.map((it) => ({ it, lines: linesOf(it, shown, stats, buckets) })),
    [shown, stats, buckets],
  );
  const facet = FACETS.find((it) => it.name === shown.split);
  const cutOff =
    stats.split?.hasMore &&
    facet &&
    `Only the ${stats.split.data.length} ${facet.many} with the most conversations have a line.`;
  const several = shown.split === "tag" && "A conversation counts in the line of each of its tags.";
  return html`
    <section class="charts" aria-labelledby="charts-over-time">
      <h2 id="charts-over-time">Over time</h2>
      <p class="section-about">
        Days are those of UTC on which recordings were submitted. Choose a ${shown.bucket} in a chart, or drag over several, to show only these.
        ${" "}${edges(shown, today).join(" ")}
      </p>
      <div class="chart-grid">
        ${charts.map(
          ({ it, lines }) => html`<${TimeChart} key=${it.name} title=${it.label} about=${it.about} starts=${buckets}
            bucket=${shown.bucket} lines=${lines} kind=${it.name === "jobs" && !shown.split ? "bars" : "lines"}
            format=${formatOf(it.unit)} isNarrow=${it.isNarrow} isTime=${it.unit === "minutes"} onPick=${picker(shown, set)}
            notes=${[cutOff, several]} />`,
        )}
      </div>
    </section>
  `;
}

/**
 * @param {import("./measures.js").Measure} it
 * @param {Shown} shown
 * @param {AllStats} stats
 * @param {string[]} buckets
 * @returns {Line[]}
 */
function linesOf(it, shown, stats, buckets) {
  const empty = it.isSum ? 0 : null;
  const facet = FACETS.find((known) => known.name === shown.split);
  if (stats.split && facet) {
    return stats.split.data.map((group, i) => ({
      name: group.group ?? facet.none,
      color: `--speaker-${i}`,
      values: aligned(group.series ?? [], buckets, it.of, empty),
      total: it.of(group.measures),
    }));
  }
  const points = stats.all.data[0]?.series ?? [];
  const sums = stats.all.data[0]?.measures ?? {};
  if (it.name !== "jobs") {
    return [{ name: it.label, color: "--accent", values: aligned(points, buckets, it.of, empty), total: it.of(sums) }];
  }
  const ends = ENDS.filter((end, i) => i === 0 || end.of(sums) > 0);
  return ends.map((end) => ({ ...end, values: aligned(points, buckets, end.of, 0), total: end.of(sums) }));
}

/** More parts of a stack cannot be told apart. */
const MOST_EMOTIONS = 7;

/** @param {{shown: Shown, stats: AllStats, set: (changes: Params) => void}} props */
export function Emotions({ shown, stats, set }) {
  const buckets = useMemo(() => starts(shown.from, shown.to, shown.bucket), [shown]);
  const lines = useMemo(() => {
    const groups = stats.emotions.data.slice(0, MOST_EMOTIONS);
    const rest = stats.emotions.data.slice(MOST_EMOTIONS);
    const seconds = (/** @type {Sums} */ sums) => sums.talkSeconds ?? 0;
    const ofGroup = (/** @type {import("./series.js").Group} */ group) =>
      aligned(group.series ?? [], buckets, seconds, 0);
    const named = groups.map((group) => ({
      name: group.group ?? "",
      color: emotionColor(group.group),
      values: ofGroup(group),
    }));
    const others = rest.map(ofGroup);
    const sum = buckets.map((_, i) => others.reduce((total, line) => total + (line[i] ?? 0), 0));
    const all = rest.length > 0 ? [...named, { name: `${rest.length} others`, color: "--muted", values: sum }] : named;
    const parts = shares(all.map((line) => line.values));
    const sumOf = (/** @type {(number | null)[]} */ values) =>
      values.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0);
    const whole = all.reduce((total, line) => total + sumOf(line.values), 0);
    const shared = all.map((line, i) => ({ ...line, values: parts[i], total: ratio(sumOf(line.values), whole) }));
    const alone = shared.filter((line) => line.name === shown.emotion);
    return alone.length > 0 ? alone : shared;
  }, [shown, stats, buckets]);
  const names = stats.emotions.data.slice(0, MOST_EMOTIONS).map((group) => group.group ?? "");
  const pills = names.map((name) => ({ name, color: emotionColor(name) }));
  const choose = (/** @type {string} */ name) => set({ emotion: name === shown.emotion ? null : name });
  const skipped = ignored("emotions", shown);
  const notes = [
    skipped.length > 0 && `Not filtered by ${skipped.join(", ")}: emotions are not counted by it.`,
    stats.emotions.hasMore && "Only the most frequent emotions are counted.",
  ];
  if (names.length === 0) {
    return html`<section><h2>Emotions</h2><p class="section-about">The provider has found none in these conversations.</p></section>`;
  }
  const jobs = withQuery("/console/jobs", {
    hasEmotion: shown.emotion,
    createdAfter: `${shown.from}T00:00:00Z`,
    createdBefore: `${shown.to}T00:00:00Z`,
  });
  return html`
    <section class="charts" aria-labelledby="emotions">
      <h2 id="emotions">Emotions</h2>
      <${TimeChart} title=${`Emotions over time${shown.emotion ? `: ${shown.emotion}` : ""}`}
        about="Share of each emotion in the time of all utterances that have one." starts=${buckets} bucket=${shown.bucket}
        lines=${lines} kind="bars" format=${(/** @type {number | null} */ value) => (value === null ? "–" : percent(value))}
        top=${shown.emotion ? undefined : 1} notes=${notes} onPick=${picker(shown, set)}
        choice=${{ lines: pills, chosen: shown.emotion, choose }} />
      ${shown.emotion && html`<p><${Link} href=${jobs}>Show the jobs with <bdi>${shown.emotion}</bdi><//></p>`}
    </section>
  `;
}

/** The emotions that have a colour of their own. */
const COLORED = ["Anger", "Anticipation", "Disgust", "Fear", "Joy", "Sadness", "Surprise", "Trust", "Neutral"];

/** @param {string | null | undefined} name */
function emotionColor(name) {
  const known = COLORED.find((it) => it.toLowerCase() === name?.toLowerCase());
  return known ? `--emotion-${known.toLowerCase()}` : "--muted";
}
