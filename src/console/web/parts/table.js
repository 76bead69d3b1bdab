import { html } from "../lib/html.js";
import { Icon } from "./icon.js";

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {(row: any) => any} render
 * @property {"start" | "end"} [align] numbers stand at the end
 * @property {string} [order] name of the order by this column, as in `sort`; with it, the title is a button
 * @property {boolean} [isWide] takes the room that the other columns leave
 */

/**
 * @typedef {object} Selection
 * @property {Set<string>} keys
 * @property {(keys: Set<string>, clicked?: { key: string, isRange: boolean }) => void} onChange `clicked`: the row whose
 *   checkbox changed, and whether with shift; without it, all rows changed
 * @property {(row: any) => string} name what a row's checkbox is called
 */

/**
 * A table; on a narrow screen each row becomes a block of named values.
 * @param {{ caption: string, columns: Column[], rows: any[], rowKey: (row: any) => string, order?: string,
 *   onOrder?: (order: string) => void, selection?: Selection, rowClass?: (row: any) => string }} props
 *   `order`: `createdAt`, or `-createdAt` for the opposite direction
 */
export function Table({ caption, columns, rows, rowKey, order, onOrder, selection, rowClass }) {
  return html`<div class="table-scroll" role="region" aria-label=${caption} tabindex="0">
    <table class="table" role="table">
      <caption class="visually-hidden">${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          ${selection && html`<th class="select" role="columnheader"><${SelectAll} rows=${rows} rowKey=${rowKey} selection=${selection} /></th>`}
          ${columns.map((column) => html`<${Head} key=${column.key} column=${column} order=${order} onOrder=${onOrder} />`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map((row) => {
          const key = rowKey(row);
          return html`<tr key=${key} role="row" class=${`${rowClass?.(row) ?? ""} ${selection?.keys.has(key) ? "selected" : ""}`}>
            ${selection && html`<td class="select" role="cell"><${SelectOne} row=${row} id=${key} selection=${selection} /></td>`}
            ${columns.map(
              (column) =>
                html`<td key=${column.key} role="cell" class=${columnClass(column)} data-title=${column.title}>${column.render(row)}</td>`,
            )}
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** @param {Column} column */
const columnClass = ({ align, isWide }) => `${align === "end" ? "end" : ""} ${isWide ? "wide" : ""}`.trim();

/** @param {{ column: Column, order?: string, onOrder?: (order: string) => void }} props */
function Head({ column, order = "", onOrder }) {
  const name = columnClass(column);
  if (!column.order || !onOrder) return html`<th class=${name} scope="col" role="columnheader">${column.title}</th>`;
  const isOrdered = order.replace(/^-/, "") === column.order;
  const isDescending = order.startsWith("-");
  // The newest or largest first, then the other direction.
  const next = isOrdered && isDescending ? column.order : `-${column.order}`;
  const sort = isOrdered ? (isDescending ? "descending" : "ascending") : undefined;
  return html`<th class=${name} scope="col" role="columnheader" aria-sort=${sort}>
    <button type="button" class="order" onClick=${() => onOrder(next)}>
      ${column.title}${isOrdered && html`<${Icon} name=${isDescending ? "down" : "up"} />`}
    </button>
  </th>`;
}

/** @param {{ rows: any[], rowKey: (row: any) => string, selection: Selection }} props */
function SelectAll({ rows, rowKey, selection: { keys, onChange } }) {
  const all = rows.map(rowKey);
  const selected = all.filter((key) => keys.has(key)).length;
  const toggle = () => onChange(new Set(selected === all.length ? [] : all));
  return html`<input
    type="checkbox"
    aria-label="Select all rows"
    checked=${selected > 0 && selected === all.length}
    indeterminate=${selected > 0 && selected < all.length}
    onChange=${toggle}
  />`;
}

/** @param {{ row: any, id: string, selection: Selection }} props */
function SelectOne({ row, id, selection: { keys, onChange, name } }) {
  /** @param {MouseEvent} event a click, as only it knows of shift; the space bar makes one, too */
  function toggle({ shiftKey }) {
    const next = new Set(keys);
    if (!next.delete(id)) next.add(id);
    onChange(next, { key: id, isRange: shiftKey });
  }
  return html`<input type="checkbox" aria-label=${`Select ${name(row)}`} checked=${keys.has(id)} onClick=${toggle} />`;
}
