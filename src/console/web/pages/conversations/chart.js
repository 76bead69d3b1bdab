// A chart over time: drawn by uPlot, and beside it the same numbers as text, for the keyboard and as a table.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../lib/html.js";
import UPlot from "../../vendor/uplot.js";
import { seconds } from "./days.js";
import { bucketName, longDay, shortDay } from "./formats.js";
import { stacked } from "./series.js";

/** @import { Bucket } from "./days.js" */
/** @typedef {{name: string, color: string, values: (number | null)[], total: number | null}} Line `color` is a custom property, such as `--accent`;
 *   `total` is the value of all buckets together */

/**
 * @typedef {object} ChartProps
 * @property {string} title
 * @property {string} about
 * @property {string[]} starts first days of the buckets
 * @property {Bucket} bucket
 * @property {Line[]} lines with one value for each bucket; drawn anew when the array is another one
 * @property {"lines" | "bars"} kind bars are stacked
 * @property {(value: number | null) => string} format
 * @property {number} [top] the greatest value of the axis
 * @property {boolean} [isTime] whether the values are seconds
 * @property {boolean} [isNarrow] whether the axis begins where the values do, and not at 0
 * @property {(string | null | false)[]} [notes] what the chart leaves out
 * @property {(first: string, last: string) => void} onPick with the buckets that were chosen
 * @property {{lines: {name: string, color: string}[], chosen: string, choose: (name: string) => void}} [choice] lines of
 *   which one can be shown alone
 */

const HEIGHT = 190;
/** Seconds between the lines of an axis of times. */
const TIME_STEPS = [1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400];

/** @param {ChartProps} props */
export function TimeChart({
  title,
  about,
  starts,
  bucket,
  lines,
  kind,
  format,
  top,
  isTime = false,
  isNarrow = false,
  notes = [],
  onPick,
  choice,
}) {
  const holder = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {any} */ (null));
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  // Until a chart of fewer buckets is drawn, the place is that of the one before.
  const at = pointed !== null && pointed < starts.length ? pointed : null;
  const [spoken, setSpoken] = useState("");
  const scheme = useScheme();
  const pick = useRef(onPick);
  pick.current = onPick;

  // With the text beside it: a key that is pressed between the two would move in the drawing before.
  useLayoutEffect(() => {
    const parent = holder.current;
    if (!parent) return;
    const data = { starts, lines, kind, format, top, isTime, isNarrow };
    const drawn = draw(parent, data, {
      move: setPointed,
      pick: (first, last) => pick.current(starts[first], starts[last]),
    });
    plot.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: parent.clientWidth, height: HEIGHT }));
    resized.observe(parent);
    return () => {
      resized.disconnect();
      drawn.destroy();
      plot.current = null;
      setPointed(null);
    };
  }, [starts, lines, kind, scheme]);

  const said = (/** @type {number} */ i) => {
    const values = lines.map((line) => (lines.length > 1 ? `${line.name} ` : "") + format(line.values[i]));
    return `${bucketName(starts[i], bucket)}: ${values.join(", ")}`;
  };
  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const last = starts.length - 1;
    /** @type {Record<string, number>} */
    const targets = { ArrowLeft: (at ?? last + 1) - 1, ArrowRight: (at ?? -1) + 1, Home: 0, End: last };
    if (event.key in targets) {
      const next = Math.min(Math.max(targets[event.key], 0), last);
      const u = plot.current;
      u.setCursor({ left: u.valToPos(seconds(starts[next]), "x"), top: 0 });
      setSpoken(said(next));
    } else if (event.key === "Enter" && at !== null) {
      onPick(starts[at], starts[at]);
    } else {
      return;
    }
    event.preventDefault();
  }
  const one = bucket === "week" ? "week" : "day";
  const shownNotes = notes.filter(Boolean);
  return html`
    <figure class="chart panel">
      <figcaption>
        <h3>${title}</h3>
        <p class="chart-about">${about}</p>
      </figcaption>
      <${Legend} lines=${lines} at=${at} format=${format} choice=${choice}
        when=${at === null ? "" : bucketName(starts[at], bucket)} />
      <div class="chart-plot" ref=${holder} tabindex="0" role="group" onKeyDown=${onKeyDown}
        aria-label=${`${title}, chart of ${starts.length} ${one}s. Arrow keys read the values, Enter shows one ${one}.`}></div>
      <p class="visually-hidden" aria-live="polite">${spoken}</p>
      ${shownNotes.length > 0 && html`<p class="chart-notes">${shownNotes.join(" ")}</p>`}
      <${Numbers} title=${title} starts=${starts} bucket=${bucket} lines=${lines} format=${format} />
    </figure>
  `;
}

/**
 * @param {Pick<ChartProps, "lines" | "format" | "choice"> & {at: number | null, when: string}} props
 */
function Legend({ lines, at, when, format, choice }) {
  const value = (/** @type {string} */ name) => {
    const line = lines.find((it) => it.name === name);
    return line && html` <strong>${format(at === null ? line.total : line.values[at])}</strong>`;
  };
  const entry = (/** @type {{name: string, color: string}} */ line) => html`
    <span class="chart-swatch" style=${{ background: `var(${line.color})` }}></span>
    <bdi class="chart-name">${line.name}</bdi>${value(line.name)}
  `;
  const isOne = lines.length === 1 && !choice;
  return html`
    <div class="chart-legend">
      ${isOne && html`<span>${value(lines[0].name)}</span>`}
      ${!isOne && !choice && html`<ul>${lines.map((line) => html`<li key=${line.name}>${entry(line)}</li>`)}</ul>`}
      ${
        choice &&
        html`<div class="chart-choice" role="group" aria-label="Show one alone">
        ${choice.lines.map(
          (
            line,
          ) => html`<button type="button" key=${line.name} class="pill" aria-pressed=${line.name === choice.chosen ? "true" : "false"}
            onClick=${() => choice.choose(line.name)}>${entry(line)}</button>`,
        )}
      </div>`
      }
      <span class="chart-when" aria-hidden="true">${when}</span>
    </div>
  `;
}

/**
 * The table is made when it is opened: a year has many rows.
 * @param {Pick<ChartProps, "title" | "starts" | "bucket" | "lines" | "format">} props
 */
function Numbers({ title, starts, bucket, lines, format }) {
  const [isOpen, setOpen] = useState(false);
  const onToggle = (/** @type {any} */ event) => setOpen(event.currentTarget.open);
  return html`
    <details class="chart-numbers" onToggle=${onToggle}>
      <summary>Numbers<span class="visually-hidden"> of ${title} as a table</span></summary>
      ${
        isOpen &&
        html`<div class="chart-table" tabindex="0" role="region" aria-label=${`Numbers of ${title}`}>
        <table>
          <thead>
            <tr>
              <th scope="col">${bucket === "week" ? "Week of" : "Day (UTC)"}</th>
              ${lines.map((line) => html`<th scope="col" key=${line.name}><bdi>${line.name}</bdi></th>`)}
            </tr>
          </thead>
          <tbody>
            ${starts.map(
              (start, i) => html`<tr key=${start}>
                <th scope="row">${longDay(start)}</th>
                ${lines.map((line) => html`<td key=${line.name}>${format(line.values[i])}</td>`)}
              </tr>`,
            )}
          </tbody>
        </table>
      </div>`
      }
    </details>
  `;
}

/** Changes when the reader's preference of dark or light does: a canvas has to be drawn anew then. */
function useScheme() {
  const media = useMemo(() => window.matchMedia("(prefers-color-scheme: dark)"), []);
  const [isDark, setDark] = useState(media.matches);
  useEffect(() => {
    const update = () => setDark(media.matches);
    media.addEventListener("change", update);
    return () => media.removeEventListener("change", update);
  }, [media]);
  return isDark;
}

/**
 * @param {HTMLElement} parent
 * @param {Pick<ChartProps, "starts" | "lines" | "kind" | "format" | "top" | "isTime" | "isNarrow">} chart
 * @param {{move: (index: number | null) => void, pick: (first: number, last: number) => void}} handlers
 */
function draw(parent, { starts, lines, kind, format, top, isTime, isNarrow }, handlers) {
  const style = getComputedStyle(parent);
  const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const times = starts.map(seconds);
  const half = starts.length > 1 ? (times[1] - times[0]) / 2 : 43_200;
  const isBars = kind === "bars";
  const font = `12px ${style.fontFamily}`;
  // The whole stack is drawn first, and each part of it over what is above.
  const drawn = isBars ? stacked(lines.map((line) => line.values)).reverse() : lines.map((line) => line.values);
  const colors = lines.map((line) => color(line.color));
  if (isBars) colors.reverse();
  const paths = isBars ? UPlot.paths.bars?.({ size: [0.75, 48] }) : undefined;
  const axis = { stroke: color("--muted"), font, ticks: { show: false } };
  const u = new UPlot(
    {
      width: parent.clientWidth,
      height: HEIGHT,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: !isBars },
        drag: { x: true, y: false, setScale: false },
      },
      scales: {
        x: { time: false, range: (_, min, max) => [min - half, max + half] },
        y: {
          range: (_, min, max) =>
            isNarrow ? UPlot.rangeNum(min, max, 0.15, true) : [0, top ?? (max > 0 ? max * 1.08 : 1)],
        },
      },
      axes: [
        {
          ...axis,
          size: 26,
          gap: 4,
          grid: { show: false },
          splits: (self) => spread(times, self.bbox.width / devicePixelRatio),
          values: (_, splits) => splits.map((time) => shortDay(starts[times.indexOf(time)])),
        },
        {
          ...axis,
          gap: 4,
          grid: { stroke: color("--line"), width: 1 },
          space: 36,
          ...(isTime ? { incrs: TIME_STEPS } : {}),
          size: (_, labels) => 14 + 7 * Math.max(2, ...(labels ?? []).map((label) => label.length)),
          values: (_, splits) => splits.map((value) => format(value)),
        },
      ],
      series: [
        {},
        ...colors.map((stroke) => ({
          stroke: isBars ? undefined : stroke,
          fill: isBars ? stroke : undefined,
          width: isBars ? 0 : 2,
          paths,
          points: isBars
            ? { show: false }
            : {
                show: true,
                size: 5,
                fill: stroke,
                filter: (/** @type {UPlot} */ self, /** @type {number} */ i) => alone(self.data[i]),
              },
        })),
      ],
      hooks: {
        setCursor: [(self) => handlers.move(self.cursor.idx ?? null)],
        setSelect: [
          (self) => {
            if (self.select.width < 8) return;
            const first = self.posToIdx(self.select.left);
            const last = self.posToIdx(self.select.left + self.select.width);
            self.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            handlers.pick(first, last);
          },
        ],
      },
    },
    [times, ...drawn],
    parent,
  );
  u.over.addEventListener("click", () => {
    const index = u.cursor.idx;
    if (index !== null && index !== undefined) handlers.pick(index, index);
  });
  return u;
}

/** Values between two gaps, which no line can show. @param {ArrayLike<number | null | undefined>} values */
const alone = (values) =>
  Array.from(values, (_, i) => i).filter(
    (i) => isValue(values[i]) && !isValue(values[i - 1]) && !isValue(values[i + 1]),
  );

/** @param {number | null | undefined} value */
const isValue = (value) => typeof value === "number";

/** Those of the times that have room for a label. @param {number[]} times @param {number} width */
function spread(times, width) {
  const every = Math.max(1, Math.ceil((times.length * 64) / Math.max(width, 1)));
  return times.filter((_, i) => i % every === 0);
}
