// What can be done with the selected jobs.
import { get, post } from "../../lib/api.js";
import { number } from "../../lib/format.js";
import { html, useState } from "../../lib/html.js";
import { withQuery } from "../../lib/query.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { useConfirm } from "../../parts/confirm.js";
import { Menu } from "../../parts/menu.js";
import { toastFailure, useToast } from "../../parts/toast.js";
import { jobs, plan, question, run, said } from "./actions.js";
import { download, linesOf, save } from "./exports.js";
import { NameSpeakers } from "./name-speakers.js";

/** @typedef {import("./actions.js").Action} Action */
/** @typedef {import("./selection.js").Selection} Selection */

/** @type {Record<import("./exports.js").Kind, string>} */
const EXPORTS = {
  jobs: "One file with a line of JSON for each job, as the API has it.",
  utterances: "One file with a line of JSON for each utterance: who said what, when, and with which emotion.",
};

/**
 * @param {{
 *   selection: Selection,
 *   filter: Record<string, string | string[]>,
 *   total: number | null,
 *   onSelectAll: () => void,
 *   onClear: () => void,
 *   onDone: () => void,
 * }} props `total`: how many jobs match the filters, if known
 */
export function BulkBar({ selection, filter, total, onSelectAll, onClear, onDone }) {
  const session = useSession();
  const confirm = useConfirm();
  const toast = useToast();
  const [isNaming, setNaming] = useState(false);
  const [progress, setProgress] = useState("");

  const { ids, isAll } = selection;
  const chosen = isAll ? { filter } : { ids: [...ids] };
  const offersAll = !isAll && total !== null && total > ids.size;

  /** Says why it failed, as the dialogs it may have come from are closed by then. @param {() => Promise<void>} action */
  async function safely(action) {
    try {
      await action();
    } catch (error) {
      toastFailure(error);
    } finally {
      setProgress("");
      onDone();
    }
  }

  /** @param {Action} action @param {Record<string, string>} [names] */
  const act = (action, names) =>
    safely(async () => {
      setProgress("Counting …");
      const planned = await plan(post, action, chosen, names);
      setProgress("");
      const asked = question(action, planned);
      if (planned.done === 0) return toast(asked.text, { isBad: true });
      if (!(await confirm(asked))) return;
      const onProgress = (/** @type {number} */ done) => setProgress(`${number(done)} of ${jobs(planned.done)} …`);
      toast(said(action, await run(post, action, chosen, { names, onProgress })));
      onClear();
    });

  /** @param {import("./exports.js").Kind} kind */
  const exportAs = (kind) =>
    safely(async () => {
      const name = `${kind}.ndjson`;
      const count = isAll ? total : ids.size;
      const which = count === null ? "all jobs that match" : jobs(count);
      const asked = { title: `Export ${which}?`, text: EXPORTS[kind], action: `Export ${which}` };
      if (!(await confirm(asked))) return;
      const onProgress = (/** @type {number} */ done) => setProgress(`${number(done)} of ${jobs(ids.size)} read …`);
      if (isAll) download(withQuery(`/v1/exports/${name}`, filter), name);
      else save(await linesOf(get, kind, [...ids], onProgress), name);
      toast(isAll ? `The browser downloads ${which} as ${name}.` : `${which} exported as ${name}.`);
    });

  const exports = [
    { text: "Jobs", scope: "jobs:read", run: () => exportAs("jobs") },
    { text: "What was said in them", scope: "transcript:read", run: () => exportAs("utterances") },
  ];

  return html`<section class="bulk-bar" aria-label="Selected jobs">
    <p class="bulk-count" role="status">
      ${progress || (isAll ? html`All ${total === null ? "" : jobs(total)} that match are selected` : html`${jobs(ids.size)} selected`)}
    </p>
    ${offersAll && html`<${Button} kind="quiet" onClick=${onSelectAll}>Select all ${jobs(total)} that match<//>`}
    <div class="bulk-actions">
      ${
        may(session, "jobs:write") &&
        html`
        <${Button} icon="reload" onClick=${() => act("retry")}>Retry<//>
        <${Button} onClick=${() => act("cancel")}>Cancel jobs<//>
        <${Button} icon="person" onClick=${() => setNaming(true)}>Name speakers<//>`
      }
      <${Menu} label="Export" icon="download" items=${exports.filter(({ scope }) => may(session, scope))} />
    </div>
    <${Button} kind="quiet" icon="close" class="bulk-clear" onClick=${onClear} aria-label="Clear the selection" />
    ${
      isNaming &&
      html`<${NameSpeakers} onClose=${() => setNaming(false)} onNames=${(
        /** @type {Record<string, string>} */ names,
      ) => {
        setNaming(false);
        act("nameSpeakers", names);
      }} />`
    }
  </section>`;
}
