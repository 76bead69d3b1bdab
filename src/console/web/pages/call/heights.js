// The heights of the rows of a long list, of which only those that have been shown are known.

/** Sums of heights from the first row on, each read and changed in logarithmic time (a Fenwick tree). */
export class Heights {
  /** @param {number} count @param {(index: number) => number} estimate */
  constructor(count, estimate) {
    this.count = count;
    this.heights = Float64Array.from({ length: count }, (_, index) => estimate(index));
    this.tree = new Float64Array(count + 1);
    for (let node = 1; node <= count; node++) {
      this.tree[node] += this.heights[node - 1];
      const parent = node + (node & -node);
      if (parent <= count) this.tree[parent] += this.tree[node];
    }
    /** The greatest power of two that is not greater than the number of rows. */
    this.top = count > 0 ? 2 ** Math.floor(Math.log2(count)) : 0;
  }

  /**
   * Notes how high a row is.
   * @param {number} index
   * @param {number} height
   * @returns {number} by how much that differs from what was assumed
   */
  measure(index, height) {
    const change = height - this.heights[index];
    if (change === 0) return 0;
    this.heights[index] = height;
    for (let node = index + 1; node <= this.count; node += node & -node) this.tree[node] += change;
    return change;
  }

  /** The distance of a row from the top of the list; for the number of rows, the height of the list. @param {number} index */
  offsetOf(index) {
    let sum = 0;
    for (let node = Math.min(index, this.count); node > 0; node -= node & -node) sum += this.tree[node];
    return sum;
  }

  get total() {
    return this.offsetOf(this.count);
  }

  /** The row at a distance from the top of the list; the first or last one beyond its ends. @param {number} offset */
  indexAt(offset) {
    let index = 0;
    let rest = offset;
    for (let step = this.top; step > 0; step >>= 1) {
      if (index + step <= this.count && this.tree[index + step] <= rest) {
        index += step;
        rest -= this.tree[index];
      }
    }
    return Math.max(0, Math.min(index, this.count - 1));
  }
}

/**
 * The rows to draw for a part of the list, some of them beyond its edges.
 * @param {Heights} heights
 * @param {number} from distance of the upper edge from the top of the list
 * @param {number} to of the lower edge
 * @param {number} margin
 * @returns {[first: number, end: number]} `end` is not drawn
 */
export function rowsBetween(heights, from, to, margin) {
  if (heights.count === 0) return [0, 0];
  return [heights.indexAt(Math.max(0, from - margin)), heights.indexAt(to + margin) + 1];
}
