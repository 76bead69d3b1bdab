// Bars beside names: a chart that is a table.
import { html } from "../lib/html.js";
import { Link } from "../lib/router.js";

/**
 * @typedef {object} Bar
 * @property {string} name
 * @property {string} text the value
 * @property {number | null} value
 * @property {boolean} [isChosen]
 * @property {(() => void) | null} [choose] null where it cannot be chosen
 * @property {string} [href]
 * @property {any} [more] a further cell
 */

/**
 * @param {{title: string, heads: string[], bars: Bar[], color?: string, action?: string}} props `heads`: of the name, the
 *   value and, if there is one, the further cell; `action`: what choosing does
 */
export function Bars({ title, heads, bars, color = "--accent", action = "" }) {
  const most = Math.max(0, ...bars.map((bar) => bar.value ?? 0));
  return html`
    <table class="bars">
      <caption class="visually-hidden">${title}</caption>
      <thead>
        <tr>
          <th scope="col">${heads[0]}</th>
          <td></td>
          ${heads.slice(1).map((head) => html`<th scope="col" class="bars-value" key=${head}>${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${bars.map(
          (bar, i) => html`<tr key=${`${i} ${bar.name}`} class=${bar.isChosen ? "is-chosen" : ""}>
            <th scope="row"><${Name} bar=${bar} action=${action} /></th>
            <td class="bars-bar">
              <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                <rect width="100" height="10" class="bars-track" />
                <rect width=${most ? (100 * (bar.value ?? 0)) / most : 0} height="10"
                  style=${{ fill: `var(${color})` }} />
              </svg>
            </td>
            <td class="bars-value">${bar.text}</td>
            ${heads.length > 2 && html`<td class="bars-value bars-more">${bar.more}</td>`}
          </tr>`,
        )}
      </tbody>
    </table>
  `;
}

/** @param {{bar: Bar, action: string}} props */
function Name({ bar, action }) {
  const name = html`<bdi>${bar.name}</bdi>`;
  if (bar.href) return html`<${Link} href=${bar.href} title=${`${action} ${bar.name}`}>${name}</${Link}>`;
  if (!bar.choose) return html`<span title=${bar.name}>${name}</span>`;
  return html`<button type="button" aria-pressed=${bar.isChosen ? "true" : "false"} title=${`${action} ${bar.name}`}
    onClick=${bar.choose}>${name}</button>`;
}
