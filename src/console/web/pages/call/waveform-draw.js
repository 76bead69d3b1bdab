// Draws the waveform on a canvas.
import { channelsOf, columnsOf, speakersOf, talkOf } from "./waveform.js";

/** @typedef {import("./insights.js").MarkerKind} MarkerKind */

/** Heights in pixels, from top to bottom. */
const MARKER_ROW = 7;
const MARKER_GAP = 4;
const EMOTIONS = 6;
const SILENCE = 4;
const GAP = 3;
const AXIS = 16;

/** @type {MarkerKind[]} */
export const KINDS = ["question", "task", "phrase", "sentence"];

/** @type {Record<MarkerKind, string>} */
export const KIND_COLORS = { question: "--accent", task: "--good", phrase: "--muted", sentence: "--warn" };

/** Width of a bar of the waveform and of the gap after it. */
const BAR = 2;
const STEP = 3;

/**
 * @typedef {object} Picture
 * @property {number} duration seconds
 * @property {readonly { peaks: readonly number[] }[]} channels empty without sound: then each speaker has a lane
 * @property {readonly import("./turns.js").Utterance[]} utterances
 * @property {readonly string[]} speakers
 * @property {(speakerId: string) => string} colorOf custom property
 * @property {readonly { emotion: string, start: number, end: number, color: string }[]} emotions
 * @property {readonly { start: number, end: number }[]} silences
 * @property {readonly { kind: MarkerKind, start: number }[]} markers
 * @property {readonly MarkerKind[]} kinds that are shown
 * @property {readonly number[]} hits seconds
 */

/** Recordings that are never louder than this are not drawn as if they were. */
const QUIET = 0.05;

/** Lanes of speakers beyond this many share the last one. */
const MOST_LANES = 6;

/** @param {Picture} picture @param {boolean} isSmall */
export function layoutOf({ channels, speakers, kinds, emotions }, isSmall) {
  const lanes = channels.length || Math.max(1, Math.min(MOST_LANES, speakers.length));
  const room = channels.length > 0 ? (isSmall ? 48 : 72) : isSmall ? 24 : 36;
  const lane = Math.max(channels.length > 0 ? 24 : 8, Math.floor(room / lanes));
  const top = kinds.length > 0 ? kinds.length * MARKER_ROW + MARKER_GAP : 0;
  const emotionTop = top + lanes * lane + GAP;
  const silenceTop = emotionTop + (emotions.length > 0 ? EMOTIONS + GAP : 0);
  return { lanes, lane, top, emotionTop, silenceTop, axis: silenceTop + SILENCE, height: silenceTop + SILENCE + AXIS };
}

/**
 * @param {CanvasRenderingContext2D} context whose unit is a pixel of the page
 * @param {number} width
 * @param {Picture} picture
 * @param {ReturnType<typeof layoutOf>} layout
 * @param {(property: string) => string} color
 */
export function draw(context, width, picture, layout, color) {
  const { duration } = picture;
  context.clearRect(0, 0, width, layout.height);
  if (duration <= 0 || width <= 0) return;
  const x = (/** @type {number} */ seconds) => (seconds / duration) * width;
  if (picture.channels.length > 0) drawPeaks(context, width, picture, layout, color);
  else drawTalk(context, x, picture, layout, color);
  drawMarkers(context, x, picture, color);
  for (const { start, end, color: property } of picture.emotions) {
    context.fillStyle = color(property);
    context.fillRect(x(start), layout.emotionTop, Math.max(1, x(end) - x(start)), EMOTIONS);
  }
  context.fillStyle = color("--muted");
  context.globalAlpha = 0.45;
  for (const { start, end } of picture.silences) {
    context.fillRect(x(start), layout.silenceTop + 1, Math.max(1, x(end) - x(start)), SILENCE - 2);
  }
  context.globalAlpha = 1;
  context.fillStyle = color("--hit");
  for (const seconds of picture.hits) {
    context.fillRect(x(seconds) - 1, layout.top, 2, layout.lanes * layout.lane);
  }
  drawAxis(context, width, x, duration, layout, color);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {Picture} picture
 * @param {ReturnType<typeof layoutOf>} layout
 * @param {(property: string) => string} color
 */
function drawPeaks(context, width, { channels, utterances, speakers, colorOf, duration }, layout, color) {
  const count = Math.max(1, Math.floor(width / STEP));
  const lanes = channels.map(({ peaks }) => columnsOf(peaks, count));
  // Most recordings are far from as loud as they could be.
  const loudest = Math.max(QUIET, ...lanes.map((columns) => Math.max(...columns)));
  const talk = talkOf(utterances, speakers, duration, count);
  const homes = channelsOf(lanes, talk);
  const colors = speakers.map((id) => color(colorOf(id)));
  const muted = color("--muted");
  lanes.forEach((columns, channel) => {
    // What a channel hears of those who are on another one is not their speech.
    const speaking = speakersOf(talk, (speaker) => homes[speaker] === channel || homes[speaker] < 0);
    const middle = layout.top + channel * layout.lane + layout.lane / 2;
    columns.forEach((peak, column) => {
      const speaker = speaking[column];
      const height = Math.max(1, (peak / loudest) * (layout.lane - 4));
      context.fillStyle = speaker < 0 ? muted : colors[speaker];
      context.globalAlpha = speaker < 0 ? 0.4 : 1;
      context.fillRect((column * width) / count, middle - height / 2, BAR, height);
    });
  });
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {(seconds: number) => number} x
 * @param {Picture} picture
 * @param {ReturnType<typeof layoutOf>} layout
 * @param {(property: string) => string} color
 */
function drawTalk(context, x, { utterances, speakers, colorOf }, layout, color) {
  const places = new Map(speakers.map((id, place) => [id, place]));
  for (const { start, end, speakerId } of utterances) {
    const place = places.get(speakerId ?? "");
    context.fillStyle = color(place === undefined ? "--muted" : colorOf(speakers[place]));
    const lane = Math.min(place ?? 0, layout.lanes - 1);
    context.fillRect(x(start), layout.top + lane * layout.lane + 1, Math.max(1, x(end) - x(start)), layout.lane - 2);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {(seconds: number) => number} x
 * @param {Picture} picture
 * @param {(property: string) => string} color
 */
function drawMarkers(context, x, { markers, kinds }, color) {
  for (const { kind, start } of markers) {
    const row = kinds.indexOf(kind);
    if (row < 0) continue;
    context.fillStyle = color(KIND_COLORS[kind]);
    context.fillRect(x(start) - 1, row * MARKER_ROW, 3, MARKER_ROW - 2);
  }
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {(seconds: number) => number} x
 * @param {number} duration
 * @param {ReturnType<typeof layoutOf>} layout
 * @param {(property: string) => string} color
 */
function drawAxis(context, width, x, duration, layout, color) {
  const step = STEPS.find((seconds) => x(seconds) >= 64) ?? 14_400;
  context.fillStyle = color("--muted");
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "bottom";
  for (let seconds = 0; seconds <= duration; seconds += step) {
    const text = clock(seconds);
    const left = x(seconds);
    if (left + context.measureText(text).width > width) break;
    context.fillText(text, left, layout.height);
  }
}

/** @param {number} seconds whole */
function clock(seconds) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
