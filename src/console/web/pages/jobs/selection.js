// Which jobs are selected: some by their ids, on whatever page they are, or all that match the filters.

/**
 * @typedef {object} Selection
 * @property {ReadonlySet<string>} ids
 * @property {boolean} isAll All jobs that match the filters, now and when the action runs.
 * @property {string | null} anchor Where a range begins that shift extends.
 */

/** @type {Selection} */
export const NOTHING = { ids: new Set(), isAll: false, anchor: null };

/** @type {Selection} */
export const EVERYTHING = { ids: new Set(), isAll: true, anchor: null };

/** @param {Selection} selection @param {string} id */
export const isSelected = (selection, id) => selection.isAll || selection.ids.has(id);

/**
 * The selection after a click on one row. With shift, all rows from the last one clicked become as this one.
 * @param {Selection} selection
 * @param {readonly string[]} order The ids of the rows, from top to bottom.
 * @param {string} id
 * @param {boolean} isRange
 * @returns {Selection}
 */
export const toggle = (selection, order, id, isRange) => {
  // Leaving "all that match" leaves what the reader can see.
  const ids = new Set(selection.isAll ? order : selection.ids);
  const isOn = !ids.has(id);
  const from = isRange && selection.anchor !== null ? order.indexOf(selection.anchor) : -1;
  const to = order.indexOf(id);
  const range = from < 0 ? [id] : order.slice(Math.min(from, to), Math.max(from, to) + 1);
  for (const one of range) {
    if (isOn) ids.add(one);
    else ids.delete(one);
  }
  return { ids, isAll: false, anchor: id };
};

/**
 * All rows of the page, or none of them if all are selected.
 * @param {Selection} selection
 * @param {readonly string[]} order
 * @returns {Selection}
 */
export const togglePage = (selection, order) => {
  if (selection.isAll) return NOTHING;
  const ids = new Set(selection.ids);
  const isOn = !order.every((id) => ids.has(id));
  for (const id of order) {
    if (isOn) ids.add(id);
    else ids.delete(id);
  }
  return { ids, isAll: false, anchor: null };
};
