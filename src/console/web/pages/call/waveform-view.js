// The waveform as a control: it shows the call as a whole, and goes to the place that is clicked on.
import { duration as clock } from "../../lib/format.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { emotionColor } from "./colors.js";
import { markerNear } from "./waveform.js";
import { draw, KIND_COLORS, KINDS, layoutOf } from "./waveform-draw.js";

/** @typedef {import("./insights.js").MarkerKind} MarkerKind */

/** How near to a marker the pointer has to be, in pixels. */
const REACH = 5;

/** Narrower ones are drawn lower. */
const SMALL = 560;

/** @type {Record<MarkerKind, string>} */
const KIND_NAMES = { question: "Questions", task: "Tasks", phrase: "Key phrases", sentence: "Key sentences" };

/**
 * @param {object} props
 * @param {import("./call-data.js").CallData} props.call
 * @param {import("./player.js").Player} props.player
 * @param {readonly { channel: number, peaks: number[] }[]} props.channels empty without sound
 * @param {readonly import("./find.js").Hit[]} props.hits
 * @param {(seconds: number) => void} props.onGo
 */
export function Waveform({ call, player, channels, hits, onGo }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const tip = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(0);
  const [hidden, setHidden] = useState(/** @type {ReadonlySet<MarkerKind>} */ (new Set()));
  const scheme = useScheme();
  const { utterances, cast, markers, silences, shape } = call;
  const total = call.duration;

  const counts = useMemo(() => {
    /** @type {Record<MarkerKind, number>} */
    const found = { question: 0, task: 0, phrase: 0, sentence: 0 };
    for (const { kind } of markers) found[kind] += 1;
    return found;
  }, [markers]);
  const kinds = useMemo(() => KINDS.filter((kind) => counts[kind] > 0 && !hidden.has(kind)), [counts, hidden]);
  const shownMarkers = useMemo(() => markers.filter(({ kind }) => kinds.includes(kind)), [markers, kinds]);
  const emotions = useMemo(() => emotionsOf(shape), [shape]);
  /** @type {import("./waveform-draw.js").Picture} */
  const picture = useMemo(
    () => ({
      duration: total,
      channels,
      utterances,
      speakers: cast.ids,
      colorOf: (/** @type {string} */ id) => cast.colorOf(id),
      emotions,
      silences,
      markers: shownMarkers,
      kinds,
      hits: hits.map(({ utterance }) => utterances[utterance].start),
    }),
    [total, channels, utterances, cast, emotions, silences, shownMarkers, kinds, hits],
  );
  const layout = useMemo(() => layoutOf(picture, width < SMALL), [picture, width < SMALL]);

  useLayoutEffect(() => {
    const own = box.current;
    if (!own) return;
    const observer = new ResizeObserver(() => setWidth(own.clientWidth));
    observer.observe(own);
    setWidth(own.clientWidth);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const own = canvas.current;
    const context = own?.getContext("2d");
    if (!own || !context || width === 0) return;
    const density = window.devicePixelRatio || 1;
    own.width = Math.round(width * density);
    own.height = Math.round(layout.height * density);
    context.scale(density, density);
    const styles = getComputedStyle(own);
    // Looking one up for each of thousands of utterances would take longer than drawing them.
    /** @type {Map<string, string>} */
    const colors = new Map();
    draw(context, width, picture, layout, (property) => {
      const known = colors.get(property) ?? (styles.getPropertyValue(property).trim() || "gray");
      colors.set(property, known);
      return known;
    });
  }, [picture, layout, width, scheme]);

  usePosition(box, player, total);

  const secondsAt = (/** @type {PointerEvent | MouseEvent} */ event) => {
    const { left, width } = /** @type {HTMLElement} */ (box.current).getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / width)) * total;
  };
  const nearest = (/** @type {number} */ seconds) =>
    markerNear(shownMarkers, seconds, (REACH / Math.max(1, width)) * total);

  /** @param {PointerEvent} event */
  function onPointerMove(event) {
    const own = tip.current;
    if (!own || event.pointerType === "touch") return;
    const seconds = secondsAt(event);
    const marker = nearest(seconds);
    own.textContent = marker ? `${clock(marker.start)} ${marker.text.slice(0, 140)}` : clock(seconds);
    own.hidden = false;
    const left = Math.max(0, Math.min((seconds / total) * width - own.offsetWidth / 2, width - own.offsetWidth));
    own.style.transform = `translateX(${left}px)`;
  }
  const leave = () => {
    if (tip.current) tip.current.hidden = true;
  };

  /** @param {MouseEvent} event */
  function onClick(event) {
    const seconds = secondsAt(event);
    onGo(nearest(seconds)?.start ?? seconds);
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const now = player.seconds.get();
    /** @type {Record<string, number>} */
    const moves = {
      ArrowUp: now + 5,
      ArrowDown: now - 5,
      PageUp: now + total / 10,
      PageDown: now - total / 10,
      Home: 0,
      End: total,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    onGo(Math.max(0, Math.min(moves[event.key], total)));
  }

  const toggle = (/** @type {MarkerKind} */ kind) => {
    const next = new Set(hidden);
    if (!next.delete(kind)) next.add(kind);
    setHidden(next);
  };

  return html`<div class="waveform">
    <div
      ref=${box}
      class="waveform-box"
      role="slider"
      tabindex="0"
      aria-label="Position in the call"
      aria-valuemin="0"
      aria-valuemax=${Math.round(total)}
      onClick=${onClick}
      onPointerMove=${onPointerMove}
      onPointerLeave=${leave}
      onKeyDown=${onKeyDown}
    >
      <canvas ref=${canvas} style=${{ width: `${width}px`, height: `${layout.height}px` }}></canvas>
      <div class="waveform-played" aria-hidden="true"></div>
      <div class="waveform-head" aria-hidden="true"></div>
      <div ref=${tip} class="waveform-tip" aria-hidden="true" hidden></div>
    </div>
    <div class="waveform-legend" role="group" aria-label="Markers on the waveform">
      ${KINDS.filter((kind) => counts[kind] > 0).map(
        (kind) =>
          html`<button key=${kind} type="button" class="legend" aria-pressed=${!hidden.has(kind)} onClick=${() => toggle(kind)}>
            <span class="legend-mark" style=${{ background: `var(${KIND_COLORS[kind]})` }}></span>
            ${KIND_NAMES[kind]} <span class="count">${counts[kind]}</span>
          </button>`,
      )}
      <${EmotionLegend} emotions=${emotions} />
    </div>
  </div>`;
}

/** @param {any} shape */
function emotionsOf(shape) {
  /** @type {{ emotion: string, start: number, end: number }[]} */
  const runs = shape?.emotionRuns ?? [];
  const felt = runs.filter(({ emotion }) => emotion.toLowerCase() !== "neutral");
  return felt.map(({ emotion, start, end }) => ({ emotion, start, end, color: emotionColor(emotion) }));
}

/** Emotions beyond this many are not named beside the waveform. */
const NAMED = 8;

/** @param {{ emotions: readonly { emotion: string, color: string }[] }} props */
function EmotionLegend({ emotions }) {
  const names = [...new Set(emotions.map(({ emotion }) => emotion))].slice(0, NAMED);
  return names.map(
    (name) =>
      html`<span key=${name} class="legend">
        <span class="legend-mark" style=${{ background: `var(${emotionColor(name)})` }}></span><bdi class="one-line">${name}</bdi>
      </span>`,
  );
}

/** Moves the playhead, and says where it is. */
function usePosition(
  /** @type {{ current: HTMLElement | null }} */ box,
  /** @type {import("./player.js").Player} */ player,
  /** @type {number} */ total,
) {
  useEffect(() => {
    let said = -1;
    function update() {
      const own = box.current;
      if (!own) return;
      const seconds = player.seconds.get();
      own.style.setProperty("--played", String(total > 0 ? Math.min(1, seconds / total) : 0));
      if (Math.floor(seconds) === said) return;
      said = Math.floor(seconds);
      own.setAttribute("aria-valuenow", String(said));
      own.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(total)}`);
    }
    update();
    return player.seconds.subscribe(update);
  }, [player, total]);
}

/** Changes with the color scheme, whose colors the canvas does not follow by itself. */
function useScheme() {
  const [isDark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const update = () => setDark(query.matches);
    query.addEventListener("change", update);
    return () => query.removeEventListener("change", update);
  }, []);
  return isDark;
}
