// What the pages of operations share.
import { get, Problem, patch } from "../../lib/api.js";
import { Time } from "../../lib/format.js";
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { withQuery } from "../../lib/query.js";
import { Link } from "../../lib/router.js";
import { lacks, may, useSession } from "../../lib/session.js";
import { words } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { Icon } from "../../parts/icon.js";
import { faultWords } from "../../parts/states.js";
import { useToast } from "../../parts/toast.js";

/** @import { Params } from "../../lib/query.js" */
/** @import { Level } from "./vitals.js" */

/**
 * Why there are no actions, if there are none.
 * @param {{scope: string, what: string}} props `what`: "replays deliveries"
 */
export function Rights({ scope, what }) {
  const session = useSession();
  if (may(session, scope)) return null;
  const lacking = lacks(session, scope);
  const text = lacking
    ? html`Only a key with the scope <code>${lacking}</code> ${what}. Yours shows what there is.`
    : html`This console is read-only: it never ${what}.`;
  return html`<p class="rights"><${Icon} name="key" /><span>${text}</span></p>`;
}

/** A dot before a word, whose form tells the level, too. @param {{level: Level, children?: any}} props */
export function Status({ level, children }) {
  const kind = level === "none" ? "ended" : level;
  return html`<span class=${`badge state-${kind}`}>${children}</span>`;
}

/** Names and values. @param {{facts: [string, any][]}} props those without a value are left out */
export function Facts({ facts }) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return html`<dl class="facts">${known.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd class="any-text">${value}</dd>`)}</dl>`;
}

/**
 * A form in a dialog. It can be sent once at a time, and says why it was not accepted.
 * @param {{title: any, action: any, onClose: () => void, onSubmit: (form: FormData) => Promise<unknown>, children?: any}} props
 *   without an action, there is nothing to send
 */
export function FormDialog({ title, action, onClose, onSubmit, children }) {
  const [error, setError] = useState(/** @type {any} */ (null));
  const [isBusy, setBusy] = useState(false);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setError(null);
    try {
      await onSubmit(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)));
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  }
  const faults = error?.errors ?? [];
  const why = faults.length > 0 ? faults.map(faultWords) : words(error);
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <form class="form" onSubmit=${submit}>
        ${children}
        ${error && html`<p class="form-error" role="alert">${why.join(" ")}</p>`}
        <footer>
          <button type="button" class="button plain" onClick=${onClose}>Cancel</button>
          ${action && html`<button class="button primary" aria-busy=${isBusy}>${action}</button>`}
        </footer>
      </form>
    <//>
  `;
}

/**
 * Several options of a form, of which some are chosen.
 * @param {{legend: string, name: string, options: [string, string][], checked: readonly string[]}} props `options`: values,
 *   and what they mean
 */
export function Checks({ legend, name, options, checked }) {
  return html`<fieldset>
    <legend>${legend}</legend>
    ${options.map(
      ([value, what]) => html`<label class="check" key=${value}>
        <input type="checkbox" name=${name} value=${value} defaultChecked=${checked.includes(value)} />
        <span><code>${value}</code> <span class="muted">${what}</span></span>
      </label>`,
    )}
  </fieldset>`;
}

/** How much of something is used. @param {{used: number, of: number, label: string}} props */
export function Meter({ used, of, label }) {
  const share = of > 0 ? Math.min(used / of, 1) : 0;
  const level = share >= 1 ? "bad" : share > 0.8 ? "warn" : "good";
  return html`<svg class=${`meter is-${level}`} viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=${label}>
    <rect width="100" height="6" class="meter-track" /><rect width=${100 * share} height="6" class="meter-used" />
  </svg>`;
}

/**
 * A job, also one of another caller: it is then opened as that caller sees it.
 * @param {{id: string, caller?: string}} props `caller`: if it is known
 */
export function JobLink({ id, caller }) {
  const session = useSession();
  const toast = useToast();
  const href = `/console/jobs/${id}`;
  const short = html`<span class="visually-hidden">Job </span><code class="nowrap" title=${id}>${id.slice(0, 8)}…${id.slice(-4)}</code>`;
  if (caller === session.caller) return html`<${Link} href=${href}>${short}<//>`;
  async function open() {
    try {
      const owner = caller ?? (await get(`/v1/admin/jobs/${id}`)).caller;
      if (owner !== session.caller) await patch("/console/session", { caller: owner });
      // The whole console then shows what that caller sees.
      window.location.assign(href);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 404) throw error;
      toast("This job has been deleted.", { isBad: true });
    }
  }
  return html`<${Button} kind="quiet" class="small link" title="Opens it as its caller sees it" onClick=${open}>
    ${short}
  <//>`;
}

/**
 * Something that is shown only once. It stays until the reader says that they have it.
 * @param {{title: string, secret: string, children?: any, onDone: () => void}} props
 */
export function ShownOnce({ title, secret, children, onDone }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const toast = useToast();
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  async function copy() {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(secret);
      toast("Copied.");
    } catch {
      // Without HTTPS, browsers keep the clipboard to themselves.
      toast("The browser does not allow it: it is selected, copy it with Ctrl+C.", { isBad: true });
    }
  }
  return html`
    <section class="panel shown-once" aria-label=${title}>
      <h2>${title}</h2>
      ${children}
      <div class="shown-once-secret">
        <input ref=${field} readonly class="mono" aria-label=${title} value=${secret} autocomplete="off" spellcheck="false" />
        <${Button} kind="primary" onClick=${copy}>Copy<//>
        <${Button} onClick=${onDone}>I have stored it<//>
      </div>
      <p class="muted">It is shown only now, and cannot be shown again.</p>
    </section>
  `;
}

/** Milliseconds between two looks. */
const LOOK_EVERY = 5000;

/** Calls back every few seconds while the page is visible. @param {() => unknown} look */
export function useEvery(look) {
  const latest = useRef(look);
  latest.current = look;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) latest.current();
    }, LOOK_EVERY);
    return () => clearInterval(timer);
  }, []);
}

/**
 * A list of pages: the first one, and more on demand. While filters change, the rows before stay.
 * @param {string} path
 * @param {Params} params
 */
export function usePages(path, params) {
  const url = withQuery(path, params);
  const [state, setState] = useState(
    /** @type {{url: string, rows: any[] | null, cursor: string | null, error: Problem | null}} */ ({
      url: "",
      rows: null,
      cursor: null,
      error: null,
    }),
  );
  const wanted = useRef(url);
  wanted.current = url;
  /** @param {string | null} cursor null begins anew */
  async function load(cursor) {
    try {
      const { data, nextCursor } = await get(url, { cursor });
      if (wanted.current !== url) return;
      setState((last) => ({
        url,
        rows: cursor ? [...(last.rows ?? []), ...data] : data,
        cursor: nextCursor ?? null,
        error: null,
      }));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (wanted.current === url) setState((last) => ({ ...last, url, error }));
    }
  }
  useEffect(() => {
    load(null);
  }, [url]);
  return {
    rows: state.rows,
    error: state.error,
    isLoading: state.url !== url,
    reload: () => load(null),
    more: state.url === url && state.cursor ? () => load(state.cursor) : null,
  };
}

/** @param {{more: (() => Promise<void>) | null}} props */
export function More({ more }) {
  return more && html`<p class="more"><${Button} onClick=${more}>Show more<//></p>`;
}

/** A time, and how long ago it was. @param {{at: string | null | undefined, never?: string}} props */
export function Ago({ at, never = "never" }) {
  return at ? html`<${Time} at=${at} relative />` : html`<span class="muted">${never}</span>`;
}
