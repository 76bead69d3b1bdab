// The transcript: turns that follow the sound until the reader scrolls.
import { html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { useStore } from "../../lib/store.js";
import { Icon } from "../../parts/icon.js";
import { hitsByUtterance } from "./find.js";
import { Follow, scrollFor } from "./follow.js";
import { wordAt, wordAtOffset, wordRanges } from "./place.js";
import { turnRow } from "./turn-row.js";
import { turnOf } from "./turns.js";
import { VirtualList } from "./virtual-list.js";

/** Milliseconds for which the page has to stand still before details of what is visible are loaded. */
const SETTLED = 120;

/**
 * @param {object} props
 * @param {import("./call-data.js").CallData} props.call
 * @param {import("./player.js").Player} props.player
 * @param {readonly import("./find.js").Hit[]} props.hits
 * @param {number} props.hit number of the selected one; -1 for none
 * @param {boolean} props.hasSound
 * @param {() => number} props.covered pixels at the top of the window that lie over the page
 * @param {{ current: import("./call.js").Reveal | null }} props.reveal
 */
export function Transcript({ call, player, hits, hit, hasSound, covered, reveal }) {
  const { utterances, turns, places, details } = call;
  const [isFollowing, setFollowing] = useState(true);
  const [follow] = useState(() => new Follow(setFollowing));
  const [stop, setStop] = useState(0);
  const [isFocused, setFocused] = useState(false);
  const handle = useRef(/** @type {import("./virtual-list.js").ListHandle | null} */ (null));
  const found = useMemo(() => hitsByUtterance(hits), [hits]);
  const version = useStore(details.version);
  const heard = useHeard(player, places);
  const isPlaying = useStore(player.isPlaying);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  useHeardWord(root, player, call, heard, version, found);

  const scrollTo = useCallback((/** @type {number} */ top) => {
    const most = document.documentElement.scrollHeight - window.innerHeight;
    const place = Math.round(Math.max(0, Math.min(top, most)));
    if (Math.abs(place - window.scrollY) < 1) return;
    follow.expect(place);
    window.scrollTo({ top: place, behavior: "instant" });
  }, []);

  /** Scrolls to a turn, unless it can be read already. */
  const show = useCallback(
    (/** @type {number} */ utterance) => {
      if (!handle.current || utterance < 0) return;
      const target = scrollFor(handle.current.rowOf(turnOf(turns, utterance)), handle.current.view());
      if (target !== null) scrollTo(target - covered());
    },
    [turns],
  );
  reveal.current = (utterance, follows) => {
    if (follows) follow.resume();
    else follow.stop();
    show(utterance);
  };
  useEffect(() => {
    // Where there was no room for it until now, it begins at the moment that is heard.
    if (heard > 0) show(heard);
    return () => {
      reveal.current = null;
    };
  }, []);

  useEffect(() => {
    const onScroll = () => follow.scrolled(window.scrollY);
    window.addEventListener("scroll", onScroll, { passive: true });
    return () => window.removeEventListener("scroll", onScroll);
  }, []);
  useEffect(() => {
    if (isPlaying && isFollowing) show(heard);
  }, [heard, isPlaying, isFollowing]);
  useEffect(() => {
    if (heard >= 0) details.want(heard, heard + 1);
  }, [heard, details]);

  // A hit deep in a long turn is brought into view once it is drawn.
  const sought = useRef(-1);
  function settleHit() {
    const mark = root.current?.querySelector(`mark[data-hit="${sought.current}"]`);
    if (!mark) return;
    sought.current = -1;
    const { top, bottom } = mark.getBoundingClientRect();
    const above = covered();
    if (top < above || bottom > window.innerHeight)
      scrollTo(window.scrollY + top - above - (window.innerHeight - above) * 0.3);
  }
  useEffect(() => {
    sought.current = hit;
    settleHit();
  }, [hit, found]);

  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  useEffect(() => () => clearTimeout(timer.current), []);
  const onRange = (/** @type {number} */ first, /** @type {number} */ last) => {
    settleHit();
    clearTimeout(timer.current);
    if (!turns[first] || !turns[last]) return;
    timer.current = setTimeout(() => details.want(turns[first].first, turns[last].last), SETTLED);
  };

  const row = useRows({ call, found, hit, selected: hits[hit]?.utterance ?? -1, heard, version, stop });

  /** @param {MouseEvent} event */
  function onClick(event) {
    const place = event.target instanceof Element ? event.target.closest("[data-utterance]") : null;
    if (!(place instanceof HTMLElement)) return;
    // Selecting text is not asking to hear it.
    if (place.tagName === "BDI" && !window.getSelection()?.isCollapsed) return;
    const index = Number(place.dataset.utterance);
    const words = details.of(index)?.words ?? [];
    const offset = place.tagName === "BDI" && words.length > 0 ? offsetAt(place, event) : -1;
    const word = offset < 0 ? -1 : wordAtOffset(wordRanges(utterances[index].text, words), offset);
    setStop(turnOf(turns, index));
    follow.resume();
    player.playFrom(word < 0 ? utterances[index].start : words[word].start);
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    /** @type {Record<string, number>} */
    const moves = {
      ArrowDown: stop + 1,
      ArrowUp: stop - 1,
      PageDown: stop + 10,
      PageUp: stop - 10,
      Home: 0,
      End: turns.length - 1,
    };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(moves[event.key], turns.length - 1));
    setStop(next);
    follow.stop();
    show(turns[next].first);
  }
  useLayoutEffect(() => {
    if (!isFocused) return;
    /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector(`[data-row="${stop}"] .moment`))?.focus({
      preventScroll: true,
    });
  }, [stop]);

  const canResume = !isFollowing && hasSound && isPlaying;
  return html`<section class="transcript" aria-label="Transcript" ref=${root}>
    <div
      onClick=${onClick}
      onKeyDown=${onKeyDown}
      onFocusIn=${() => setFocused(true)}
      onFocusOut=${() => setFocused(false)}
    >
      <${VirtualList}
        label="What was said"
        count=${turns.length}
        estimate=${(/** @type {number} */ index, /** @type {number} */ width) => heightOf(turns[index], width)}
        row=${row}
        pinned=${isFocused ? stop : -1}
        handle=${handle}
        covered=${covered}
        onMove=${(/** @type {number} */ top) => follow.expect(top)}
        onRange=${onRange}
      />
    </div>
    ${
      canResume &&
      html`<button
        type="button"
        class="button primary resume"
        onClick=${() => {
          follow.resume();
          show(heard);
        }}
      >
        <${Icon} name="down" />Follow the sound
      </button>`
    }
  </section>`;
}

/** Width of an average character, and heights of a line and of what surrounds the text of a turn: pixels of `call.css`. */
const CHARACTER = 7.6;
const LINE = 25;
const FRAME = 49;

/** @param {import("./turns.js").Turn} turn @param {number} width */
const heightOf = ({ length }, width) => FRAME + LINE * Math.ceil((length * CHARACTER) / Math.min(width, 760));

/** The utterance that is heard, or was last; -1 before anything is. @param {import("./player.js").Player} player @param {import("./place.js").Places} places */
function useHeard(player, places) {
  const now = () => {
    const seconds = player.seconds.get();
    return seconds > 0 || player.isPlaying.get() ? places.at(seconds) : -1;
  };
  const [heard, setHeard] = useState(now);
  useEffect(() => {
    const update = () => setHeard(now());
    update();
    return player.seconds.subscribe(update);
  }, [player, places]);
  return heard;
}

/**
 * Draws rows, each again only if something in it has changed.
 * @param {object} shown
 * @param {import("./call-data.js").CallData} shown.call
 * @param {Map<number, import("./turn-row.js").FoundHit[]>} shown.found
 * @param {number} shown.hit
 * @param {number} shown.selected the utterance of the selected hit
 * @param {number} shown.heard
 * @param {number} shown.version of the details
 * @param {number} shown.stop
 */
function useRows({ call, found, hit, selected, heard, version, stop }) {
  const { utterances, turns, cast, details } = call;
  /** @type {Map<number, { key: string, row: any }>} */
  const rows = useMemo(() => new Map(), [utterances, turns, cast, details, version, found]);
  return (/** @type {number} */ index) => {
    const turn = turns[index];
    const own = (/** @type {number} */ utterance) =>
      utterance >= turn.first && utterance <= turn.last ? utterance : -1;
    const ownHit = own(selected) < 0 ? -1 : hit;
    const key = `${own(heard)} ${ownHit} ${index === stop}`;
    const last = rows.get(index);
    if (last?.key === key) return last.row;
    const row = turnRow({
      utterances,
      turn,
      index,
      count: turns.length,
      name: cast.nameOf(turn.speakerId),
      color: cast.colorOf(turn.speakerId),
      detail: details.of,
      heard: own(heard),
      hits: found,
      hit: ownHit,
      isStop: index === stop,
    });
    rows.set(index, { key, row });
    return row;
  };
}

/** The name under which `call.css` knows the word that is heard. */
const HEARD_WORD = "heard-word";

/**
 * Marks the word that is heard, without touching the text.
 * @param {{ current: HTMLElement | null }} root
 * @param {import("./player.js").Player} player
 * @param {import("./call-data.js").CallData} call
 * @param {number} heard
 * @param {unknown} version of the details
 * @param {unknown} found hits, whose marks divide the text
 */
function useHeardWord(root, player, { utterances, details }, heard, version, found) {
  useEffect(() => {
    const words = details.of(heard)?.words ?? [];
    // Browsers that do not know highlights mark the utterance only.
    if (words.length === 0 || !("highlights" in CSS)) return;
    const ranges = wordRanges(utterances[heard].text, words);
    let shown = -1;
    function update() {
      const word = wordAt(words, player.seconds.get());
      if (word === shown) return;
      shown = word;
      const place = ranges[word];
      const element = place && root.current?.querySelector(`bdi[data-utterance="${heard}"]`);
      const range = element && rangeIn(element, place[0], place[1]);
      if (range) CSS.highlights.set(HEARD_WORD, new Highlight(range));
      else CSS.highlights.delete(HEARD_WORD);
    }
    update();
    const unsubscribe = player.seconds.subscribe(update);
    return () => {
      unsubscribe();
      CSS.highlights.delete(HEARD_WORD);
    };
  }, [player, utterances, details, heard, version, found]);
}

/**
 * The part of an element's text between two characters.
 * @param {Element} element
 * @param {number} from
 * @param {number} to
 */
function rangeIn(element, from, to) {
  const range = document.createRange();
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let passed = 0;
  let hasStart = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const { length } = /** @type {Text} */ (node);
    if (!hasStart && from < passed + length) {
      range.setStart(node, from - passed);
      hasStart = true;
    }
    if (hasStart && to <= passed + length) {
      range.setEnd(node, to - passed);
      return range;
    }
    passed += length;
  }
  return null;
}

/**
 * Which character of an element's text was clicked on; -1 if the browser does not tell.
 * @param {HTMLElement} element
 * @param {MouseEvent} event
 */
function offsetAt(element, { clientX, clientY }) {
  /** @type {any} */
  const page = document;
  const caret = page.caretPositionFromPoint?.(clientX, clientY);
  const range = caret ? null : page.caretRangeFromPoint?.(clientX, clientY);
  const node = caret?.offsetNode ?? range?.startContainer;
  if (!node || !element.contains(node)) return -1;
  const before = document.createRange();
  before.setStart(element, 0);
  before.setEnd(node, caret?.offset ?? range.startOffset);
  return before.toString().length;
}
