// What stays at the top while one reads: the sound, the waveform, and finding words.
import { duration } from "../../lib/format.js";
import { html, useEffect, useRef } from "../../lib/html.js";
import { useStore } from "../../lib/store.js";
import { Icon } from "../../parts/icon.js";
import { FindBox } from "./find-box.js";
import { RATES } from "./player.js";
import { Waveform } from "./waveform-view.js";

/**
 * @param {object} props
 * @param {{ current: HTMLElement | null }} props.bar
 * @param {import("./call-data.js").CallData} props.call
 * @param {import("./player.js").Player} props.player
 * @param {string | null} props.sound where the recording is; null without one
 * @param {readonly any[]} props.channels peaks of each channel
 * @param {readonly import("./find.js").Hit[]} props.hits
 * @param {(seconds: number) => void} props.onGo
 * @param {Parameters<typeof FindBox>[0]} props.find
 */
export function PlayerBar({ bar, call, player, sound, channels, hits, onGo, find }) {
  useEffect(() => {
    const own = bar.current;
    if (!own) return;
    // What sticks below it has to know its height, and so has the browser where it scrolls to what has the focus.
    const { style } = document.documentElement;
    const observer = new ResizeObserver(() => style.setProperty("--player", `${own.offsetHeight}px`));
    observer.observe(own);
    return () => {
      observer.disconnect();
      style.removeProperty("--player");
    };
  }, []);
  return html`<section ref=${bar} class="player" aria-label=${sound ? "Player" : "Overview"}>
    ${call.duration > 0 && html`<${Waveform} call=${call} player=${player} channels=${channels} hits=${hits} onGo=${onGo} />`}
    <div class="player-controls">
      ${sound && html`<${Controls} call=${call} player=${player} sound=${sound} />`}
      <${FindBox} ...${find} />
    </div>
  </section>`;
}

/** @param {{ call: import("./call-data.js").CallData, player: import("./player.js").Player, sound: string }} props */
function Controls({ call, player, sound }) {
  const audio = useRef(/** @type {HTMLAudioElement | null} */ (null));
  const isPlaying = useStore(player.isPlaying);
  const rate = useStore(player.rate);
  const skips = useStore(player.skipsSilence);
  useEffect(() => {
    player.attach(audio.current);
    return () => player.attach(null);
  }, [player, sound]);
  useEffect(() => player.setSilences(call.silences), [player, call.silences]);

  return html`<audio ref=${audio} src=${sound} preload="metadata"></audio>
    <button type="button" class="button primary play" aria-label=${isPlaying ? "Pause" : "Play"} onClick=${player.toggle}>
      <${Icon} name=${isPlaying ? "pause" : "play"} />
    </button>
    <span class="clock numbers"><${Clock} player=${player} /> <span class="muted">/ ${duration(call.duration)}</span></span>
    <label class="rate">
      <span class="visually-hidden">Speed</span>
      <select value=${rate} onChange=${(/** @type {any} */ event) => player.setRate(Number(event.currentTarget.value))}>
        ${RATES.map((value) => html`<option key=${value} value=${value}>${value}×</option>`)}
      </select>
    </label>
    <label class="skip-silence">
      <input type="checkbox" checked=${skips} onChange=${(/** @type {any} */ event) => player.skipsSilence.set(event.currentTarget.checked)} />
      Skip silence
    </label>`;
}

/** The time, without drawing anything else again. @param {{ player: import("./player.js").Player }} props */
function Clock({ player }) {
  const text = useRef(/** @type {HTMLSpanElement | null} */ (null));
  useEffect(() => {
    const update = () => {
      const now = duration(player.seconds.get());
      if (text.current && text.current.textContent !== now) text.current.textContent = now;
    };
    update();
    return player.seconds.subscribe(update);
  }, [player]);
  return html`<span ref=${text}></span>`;
}
