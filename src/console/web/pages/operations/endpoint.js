// One endpoint: its state, what can be done about it, and its messages.
import { post, useGet } from "../../lib/api.js";
import { number, Time } from "../../lib/format.js";
import { html, useEffect, useId, useRef, useState } from "../../lib/html.js";
import { useQuery } from "../../lib/router.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { useConfirm } from "../../parts/confirm.js";
import { Dialog } from "../../parts/dialog.js";
import { Icon } from "../../parts/icon.js";
import { Failure, Loading } from "../../parts/states.js";
import { useToast } from "../../parts/toast.js";
import { counted } from "./ages.js";
import { Messages, messageFilter } from "./messages.js";
import { Ago, Facts, FormError, ShownOnce, Status } from "./parts.js";

/** @import { Level } from "./vitals.js" */

/** @type {Record<string, string>} */
const REASONS = { by_caller: "by request", failing: "because it kept failing", gone: "because it responded 410" };

/** @param {{endpoint: Api["EndpointView"]}} props */
export function EndpointState({ endpoint: { state, pauseReason, failures } }) {
  const isFailing = state === "active" && failures > 0;
  /** @type {Level} */
  const level = isFailing ? "bad" : state === "active" ? "good" : "warn";
  const why = pauseReason
    ? (REASONS[pauseReason] ?? pauseReason)
    : isFailing
      ? `${counted(failures, "failure", "failures")} in a row`
      : "";
  return html`<span><${Status} level=${level}>${isFailing ? "failing" : state}<//> <span class="muted nowrap">${why}</span></span>`;
}

/** @param {{id: string, close: () => void, onChanged: () => unknown}} props */
export function Endpoint({ id, close, onChanged }) {
  const session = useSession();
  const path = `/v1/endpoints/${encodeURIComponent(id)}`;
  const { data, error, reload } = useGet(path);
  const [secret, setSecret] = useState("");
  const [tested, setTested] = useState(/** @type {Api["TestView"] | null} */ (null));
  const [refreshed, setRefreshed] = useState(0);
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  useEffect(() => heading.current?.focus(), []);
  function refresh() {
    reload();
    onChanged();
    setRefreshed((last) => last + 1);
  }
  return html`
    <section class="panel detail" aria-label="Endpoint">
      <header class="detail-header">
        <h2 ref=${heading} tabindex="-1" class="any-text">${data?.url ?? "Endpoint"}</h2>
        <button type="button" class="button quiet small" aria-label="Close the endpoint" onClick=${close}><${Icon} name="close" /></button>
      </header>
      ${error && html`<${Failure} error=${error} retry=${reload} />`}
      ${!data && !error && html`<${Loading} />`}
      ${
        data &&
        html`
        ${may(session, "notify:write") && html`<${Actions} endpoint=${data} path=${path} onSecret=${setSecret} onTested=${setTested} onDone=${refresh} />`}
        ${
          secret &&
          html`<${ShownOnce} title="New signing secret" secret=${secret} onDone=${() => setSecret("")}>
          <p>The receiver verifies messages with it.</p>
        <//>`
        }
        ${tested && html`<${TestResult} result=${tested} />`}
        <${Facts} facts=${[
          ["State", html`<${EndpointState} endpoint=${data} />`],
          ["Paused", data.pausedAt && html`<${Ago} at=${data.pausedAt} />`],
          ["Failing", data.failingSince && html`since <${Time} at=${data.failingSince} />`],
          ["Last success", html`<${Ago} at=${data.lastSuccessAt} />`],
          ["Description", data.description],
          ["Events", data.events.join(", ")],
          ["Messages include", data.include.join(", ")],
          [
            "Secret",
            data.rotatingUntil && html`the previous one also signs until <${Time} at=${data.rotatingUntil} />`,
          ],
          ["Changed", html`<${Time} at=${data.updatedAt} />`],
        ]} />
        <${Messages} key=${refreshed} endpoint=${data} path=${`${path}/messages`} />
      `
      }
    </section>
  `;
}

/**
 * @param {{endpoint: Api["EndpointView"], path: string, onSecret: (secret: string) => void, onTested: (result: Api["TestView"]) => void,
 *   onDone: () => void}} props
 */
function Actions({ endpoint, path, onSecret, onTested, onDone }) {
  const confirm = useConfirm();
  const toast = useToast();
  const [query] = useQuery();
  const [dialog, setDialog] = useState("");
  const isActive = endpoint.state === "active";

  async function test() {
    const asked = {
      title: "Send a test?",
      text: "One message of the type notify.test is sent now, whatever the state of the endpoint.",
      action: "Send 1 test",
    };
    if (await confirm(asked)) onTested(await post(`${path}/test`));
  }
  async function pause() {
    const text = "Nothing is sent to it until it is resumed. Messages of that time can be sent afterwards.";
    if (!(await confirm({ title: "Pause this endpoint?", text, action: "Pause 1 endpoint" }))) return;
    await post(`${path}/pause`);
    toast("Paused: nothing is sent to it.");
    onDone();
  }
  async function resume() {
    const text = "New messages are sent to it again. What it has missed is sent by Recover.";
    if (!(await confirm({ title: "Resume this endpoint?", text, action: "Resume 1 endpoint" }))) return;
    await post(`${path}/resume`);
    toast("Resumed: messages are sent to it again.");
    onDone();
  }
  async function replay() {
    const filter = messageFilter(query);
    const { messages, hasMore } = await post(`${path}/replay`, filter, { dryRun: true });
    if (messages === 0) return toast("No message matches: replays are made of messages that have a final state.");
    const text = `Each is sent once more, with another webhook-id, so that a receiver that remembers ids does not ignore it.
      ${hasMore ? "More match than one request takes up; repeat it for the rest." : ""}`;
    const many = counted(messages, "message", "messages");
    if (!(await confirm({ title: `Send ${many} again?`, text, action: `Replay ${many}` }))) return;
    const done = await post(`${path}/replay`, filter);
    toast(`${counted(done.messages, "message is", "messages are")} due now.`);
    onDone();
  }
  return html`
    <p class="actions">
      <${Button} onClick=${test}>Test…<//>
      ${isActive ? html`<${Button} onClick=${pause}>Pause…<//>` : html`<${Button} kind="primary" onClick=${resume}>Resume…<//>`}
      ${isActive && html`<${Button} onClick=${() => setDialog("recover")}>Recover…<//>`}
      ${isActive && html`<${Button} onClick=${replay}>Replay all that match…<//>`}
      <${Button} onClick=${() => setDialog("rotate")}>Rotate the secret…<//>
    </p>
    ${!isActive && html`<p class="muted">Resume it to recover or replay messages.</p>`}
    ${dialog === "recover" && html`<${Recover} path=${path} onClose=${() => setDialog("")} onDone=${onDone} />`}
    ${
      dialog === "rotate" &&
      html`<${Rotate} path=${path} onClose=${() => setDialog("")} onDone=${(/** @type {string} */ secret) => {
        onSecret(secret);
        onDone();
      }} />`
    }
  `;
}

/** @param {{result: Api["TestView"]}} props */
function TestResult({ result: { succeeded, status, latencyMs, error, response } }) {
  const what = status
    ? `it responded ${status} in ${number(latencyMs)} ms`
    : `${error?.detail ?? "there was no response"} (${number(latencyMs)} ms)`;
  return html`
    <div class="test-result" role="status">
      <${Status} level=${succeeded ? "good" : "bad"}>${succeeded ? "The test succeeded" : "The test failed"}: ${what}<//>
      ${response && html`<pre tabindex="0" aria-label="Response">${response}</pre>`}
    </div>
  `;
}

/** @param {{path: string, onClose: () => void, onDone: () => void}} props */
function Recover({ path, onClose, onDone }) {
  const toast = useToast();
  const id = useId();
  const [found, setFound] = useState(/** @type {(Api["ResentMessages"] & { since: string }) | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const dayAgo = new Date(Date.now() - 86_400_000);
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const since = new Date(String(form.get("since"))).toISOString();
    try {
      if (found?.since !== since) {
        setFound({ since, ...(await post(`${path}/recover`, { since }, { dryRun: true })) });
        return;
      }
      const { messages } = await post(`${path}/recover`, { since });
      onClose();
      toast(`${counted(messages, "message is", "messages are")} due again.`);
      onDone();
    } catch (problem) {
      setError(problem);
    }
  }
  const count = found && counted(found.messages, "message", "messages");
  return html`
    <${Dialog} title="Send what it has missed" onClose=${onClose}>
      <form class="form" onSubmit=${submit}>
        <p class="muted">Messages that were skipped, or whose attempts are exhausted, become due again, oldest first, with the same webhook-id.</p>
        <label for=${id}>Of events since</label>
        <input id=${id} name="since" type="datetime-local" required defaultValue=${localTime(dayAgo)} onInput=${() => setFound(null)} />
        <p role="status">${found && (found.messages === 0 ? "It has missed nothing since then." : `${count} would be sent${found.hasMore ? "; repeat it afterwards, there are more" : ""}.`)}</p>
        <${FormError} error=${error} />
        <footer>
          <button type="button" class="button plain" onClick=${onClose}>Cancel</button>
          ${!(found && found.messages === 0) && html`<button class="button primary">${found ? `Recover ${count}` : "Count them"}</button>`}
        </footer>
      </form>
    <//>
  `;
}

/** As an input of the type `datetime-local` has it, in the reader's zone. @param {Date} date */
function localTime(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {{path: string, onClose: () => void, onDone: (secret: string) => void}} props */
function Rotate({ path, onClose, onDone }) {
  const [error, setError] = useState(/** @type {any} */ (null));
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    try {
      const { secret } = await post(`${path}/rotate`, { keepPrevious: form.get("previous") === "keep" });
      onClose();
      onDone(secret);
    } catch (problem) {
      setError(problem);
    }
  }
  return html`
    <${Dialog} title="Rotate the signing secret?" onClose=${onClose}>
      <form class="form" onSubmit=${submit}>
        <p>A new secret is made, and shown once. Receivers that do not know it will refuse messages as soon as the previous one ends.</p>
        <fieldset>
          <legend>The previous secret</legend>
          <label class="check"><input type="radio" name="previous" value="keep" defaultChecked /> signs too for a while, so that receivers can change over</label>
          <label class="check"><input type="radio" name="previous" value="end" /> ends now, because it has leaked</label>
        </fieldset>
        <${FormError} error=${error} />
        <footer><button type="button" class="button plain" onClick=${onClose}>Cancel</button><button class="button primary">Rotate 1 secret</button></footer>
      </form>
    <//>
  `;
}
