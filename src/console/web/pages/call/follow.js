// Whether the transcript follows the sound: it does until the reader scrolls, and again when the reader asks for it.

/** Browsers move a page by some pixels to show what gets the focus; readers move it further. */
const NUDGE = 32;

export class Follow {
  /** @param {(isOn: boolean) => void} [onChange] */
  constructor(onChange = () => {}) {
    this.isOn = true;
    this.onChange = onChange;
    /** @type {number[]} */
    this.expected = [];
    /** Where the page is, and where it was when it last moved by itself. */
    this.top = 0;
    this.own = 0;
  }

  /** Says that the page itself is about to scroll to this position. @param {number} top */
  expect(top) {
    this.expected.push(top);
  }

  /**
   * Judges that the page has scrolled. Browsers report several movements at once, so earlier expectations are met as well.
   * @param {number} top
   */
  scrolled(top) {
    this.top = top;
    // Browsers round positions to whole pixels of the device.
    const met = this.expected.findLastIndex((expected) => Math.abs(expected - top) <= 1);
    if (met >= 0) {
      this.expected.splice(0, met + 1);
      this.own = top;
    } else if (Math.abs(top - this.own) > NUDGE) this.stop();
  }

  stop() {
    this.#set(false);
  }

  resume() {
    this.own = this.top;
    this.#set(true);
  }

  /** @param {boolean} isOn */
  #set(isOn) {
    if (isOn === this.isOn) return;
    this.isOn = isOn;
    this.onChange(isOn);
  }
}

/**
 * Where to scroll so that a row can be read; `null` if it can already, with room for what comes next.
 * @param {{ top: number, height: number }} row from the top of what scrolls
 * @param {{ top: number, height: number }} view what is visible
 */
export function scrollFor(row, view) {
  const isAbove = row.top < view.top;
  const isBelow = row.top + Math.min(row.height, view.height / 2) > view.top + view.height * 0.75;
  if (!isAbove && !isBelow) return null;
  return Math.max(0, row.top - view.height * 0.2);
}
