// The place in the call, and the sound that moves it. Without sound it is the place where one reads.
import { createStore } from "../../lib/store.js";
import { afterSilence } from "./silence.js";

/** How fast it may be played. */
export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/** @typedef {ReturnType<typeof createPlayer>} Player */

/** One for each call that is shown. */
export function createPlayer() {
  const seconds = createStore(0);
  const isPlaying = createStore(false);
  const rate = createStore(1);
  const skipsSilence = createStore(false);
  /** Why there is no sound, once that is known. */
  const failure = createStore("");
  /** @type {HTMLAudioElement | null} */
  let audio = null;
  /** @type {readonly import("./silence.js").Span[]} */
  let silences = [];
  let frame = 0;

  function update() {
    if (!audio) return;
    const next = skipsSilence.get() && !audio.paused ? afterSilence(silences, audio.currentTime) : null;
    if (next !== null) audio.currentTime = next;
    seconds.set(audio.currentTime);
  }

  function onFrame() {
    update();
    frame = requestAnimationFrame(onFrame);
  }

  const listeners = {
    play() {
      isPlaying.set(true);
      cancelAnimationFrame(frame);
      onFrame();
    },
    pause() {
      isPlaying.set(false);
      cancelAnimationFrame(frame);
      update();
    },
    // In a hidden tab there are no frames, but silences are skipped all the same.
    timeupdate: update,
    error() {
      failure.set(
        "The recording cannot be played here. It may have been deleted, or your browser does not know its format.",
      );
    },
  };

  const player = {
    seconds,
    isPlaying,
    rate,
    skipsSilence,
    failure,

    /** Takes the element that has the sound, or gives it up. @param {HTMLAudioElement | null} element */
    attach(element) {
      if (element === audio) return;
      for (const [name, listener] of Object.entries(listeners)) {
        audio?.removeEventListener(name, listener);
        element?.addEventListener(name, listener);
      }
      cancelAnimationFrame(frame);
      isPlaying.set(false);
      audio = element;
      if (!audio) return;
      audio.currentTime = seconds.get();
      audio.playbackRate = rate.get();
    },

    /** @param {readonly import("./silence.js").Span[]} known */
    setSilences(known) {
      silences = known;
    },

    /** Goes to a time. @param {number} to */
    seek(to) {
      const end = audio && Number.isFinite(audio.duration) ? audio.duration : Infinity;
      const place = Math.max(0, Math.min(to, end));
      if (audio) audio.currentTime = place;
      seconds.set(place);
    },

    /** Goes to a time and plays from there. @param {number} to */
    playFrom(to) {
      player.seek(to);
      player.play();
    },

    play() {
      // The browser refuses to play what the reader has not asked for; the place is set all the same.
      audio?.play().catch(() => undefined);
    },

    toggle() {
      if (!audio) return;
      if (audio.paused) player.play();
      else audio.pause();
    },

    /** @param {number} to one of `RATES` */
    setRate(to) {
      rate.set(to);
      if (audio) audio.playbackRate = to;
    },
  };
  return player;
}
