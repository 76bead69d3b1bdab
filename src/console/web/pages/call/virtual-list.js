// A long list of which only the rows near the visible part of the page exist.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../lib/html.js";
import { Heights, rowsBetween } from "./heights.js";

/** Pixels beyond the visible part for which rows are drawn, and how near the edge of those may come before more are. */
const MARGIN = 900;
const RESERVE = 250;

/**
 * @typedef {object} ListHandle
 * @property {(index: number) => { top: number, height: number }} rowOf where a row is on the page
 * @property {(index: number) => void} measure notes the height of a row that has changed
 * @property {() => { top: number, height: number }} view what of the page is visible, below what covers it
 */

/**
 * @param {object} props
 * @param {number} props.count
 * @param {(index: number, width: number) => number} props.estimate the height of a row that was never shown
 * @param {(index: number) => any} props.row
 * @param {string} props.label
 * @param {number} [props.pinned] a row that exists wherever the page is, since it has the focus
 * @param {{ current: ListHandle | null }} props.handle
 * @param {() => number} props.covered pixels at the top of the window that lie over the page
 * @param {(top: number) => void} props.onMove is called before the page is moved without the reader
 * @param {(first: number, last: number) => void} props.onRange
 */
export function VirtualList({ count, estimate, row, label, pinned = -1, handle, covered, onMove, onRange }) {
  const list = useRef(/** @type {HTMLDivElement | null} */ (null));
  const heights = useRef(/** @type {Heights | null} */ (null));
  const width = useRef(0);
  const [range, setRange] = useState(/** @type {[number, number]} */ ([0, 0]));
  const shown = useRef(range);
  shown.current = range;

  const known = () => {
    heights.current ??= new Heights(count, (index) => estimate(index, width.current || 600));
    return heights.current;
  };
  const top = () => (list.current?.getBoundingClientRect().top ?? 0) + window.scrollY;

  /** The visible part, from the top of the list. */
  function visible() {
    const from = window.scrollY - top();
    return { from, to: from + window.innerHeight };
  }

  /** The row at the upper edge of what can be read, and how much of it is above. */
  function reading() {
    const edge = visible().from + covered();
    if (edge < 0 || count === 0) return null;
    const index = known().indexAt(edge);
    return { index, above: (edge - known().offsetOf(index)) / known().heights[index] };
  }

  /** Goes back to a row after all heights have changed. @param {ReturnType<typeof reading>} read */
  function resume(read) {
    if (!read) return;
    const edge = known().offsetOf(read.index) + read.above * known().heights[read.index];
    const target = Math.round(top() + edge - covered());
    if (Math.abs(target - window.scrollY) < 1) return;
    onMove(target);
    window.scrollTo({ top: target, behavior: "instant" });
  }

  function update() {
    const { from, to } = visible();
    const [first, end] = rowsBetween(known(), from, to, RESERVE);
    if (first >= shown.current[0] && end <= shown.current[1]) return;
    const next = rowsBetween(known(), from, to, MARGIN);
    shown.current = next;
    setRange(next);
  }

  /** Notes the heights of the rows that exist, and keeps what is visible where it is. */
  function measure() {
    const own = list.current;
    // While it is not laid out, its rows have no height.
    if (!own?.clientWidth) return;
    const { from } = visible();
    const page = document.documentElement;
    const isAtEnd = window.scrollY + window.innerHeight >= page.scrollHeight - 1;
    const anchor = known().indexAt(Math.max(0, from + covered()));
    let moved = 0;
    for (const element of own.querySelectorAll(":scope > [data-row]")) {
      const index = Number(/** @type {HTMLElement} */ (element).dataset.row);
      if (index >= count) continue;
      const change = known().measure(index, element.getBoundingClientRect().height);
      if (index < anchor) moved += change;
    }
    place();
    // Who has gone to the end stays there, however high the last rows turn out to be.
    if (isAtEnd) moved = page.scrollHeight - window.innerHeight - window.scrollY;
    if (Math.abs(moved) < 0.5 || from + covered() < 0) return;
    onMove(window.scrollY + moved);
    window.scrollBy(0, moved);
  }

  /** Puts the rows where they belong. */
  function place() {
    const own = list.current;
    if (!own) return;
    own.style.height = `${known().total}px`;
    for (const element of own.querySelectorAll(":scope > [data-row]")) {
      const { dataset, style } = /** @type {HTMLElement} */ (element);
      style.transform = `translateY(${known().offsetOf(Number(dataset.row))}px)`;
    }
  }

  handle.current = {
    rowOf: (index) => ({ top: top() + known().offsetOf(index), height: known().heights[index] ?? 0 }),
    measure,
    view: () => ({ top: window.scrollY + covered(), height: window.innerHeight - covered() }),
  };

  useEffect(() => {
    heights.current = null;
    update();
  }, [count]);
  useLayoutEffect(measure);
  useEffect(() => onRange(range[0], range[1] - 1), [range[0], range[1]]);

  useEffect(() => {
    const own = list.current;
    if (!own) return;
    let frame = 0;
    const onScroll = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(update);
    };
    const observer = new ResizeObserver(() => {
      if (own.clientWidth === width.current) return;
      const read = reading();
      width.current = own.clientWidth;
      heights.current = null;
      measure();
      resume(read);
      update();
    });
    observer.observe(own);
    window.addEventListener("scroll", onScroll, { passive: true });
    window.addEventListener("resize", onScroll);
    update();
    return () => {
      cancelAnimationFrame(frame);
      observer.disconnect();
      window.removeEventListener("scroll", onScroll);
      window.removeEventListener("resize", onScroll);
    };
  }, [count]);

  const indices = Array.from(
    { length: Math.max(0, Math.min(range[1], count) - range[0]) },
    (_, index) => range[0] + index,
  );
  if (pinned >= 0 && pinned < count && !indices.includes(pinned)) indices.push(pinned);
  indices.sort((a, b) => a - b);
  return html`<div ref=${list} class="virtual-list" role="feed" aria-label=${label} aria-busy="false">${indices.map(row)}</div>`;
}
