// One endpoint: its state, what can be done about it, and its messages.
import { del, post, useGet } from "../../lib/api.js";
import { number, Time } from "../../lib/format.js";
import { html, useState } from "../../lib/html.js";
import { Link, navigate, useQuery } from "../../lib/router.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { useConfirm } from "../../parts/confirm.js";
import { Page } from "../../parts/page.js";
import { Failure, Loading } from "../../parts/states.js";
import { useToast } from "../../parts/toast.js";
import { counted } from "../operations/ages.js";
import { visible } from "../operations/body.js";
import { Ago, Facts, FormDialog, Rights, ShownOnce, Status } from "../operations/parts.js";
import { EndpointState } from "./endpoint-state.js";
import { EndpointForm } from "./form.js";
import { Messages, messageFilter } from "./messages.js";

/** @param {number} count */
const messages = (count) => counted(count, "message", "messages");

/** @param {{id: string}} props */
export function Endpoint({ id }) {
  const session = useSession();
  const path = `/v1/endpoints/${encodeURIComponent(id)}`;
  const { data, error, reload } = useGet(path);
  const [secret, setSecret] = useState("");
  const [tested, setTested] = useState(/** @type {Api["TestView"] | null} */ (null));
  const [changes, setChanges] = useState(0);
  function refresh() {
    reload();
    setChanges((last) => last + 1);
  }
  const heading = html`<bdi class="any-text">${data?.url ?? "Endpoint"}</bdi>`;
  return html`
    <${Page} title=${data ? `${data.url} · Endpoints` : "Endpoint"} heading=${heading} class="operations">
      <p><${Link} href="/console/endpoints">All endpoints<//></p>
      ${error && html`<${Failure} error=${error} retry=${reload} />`}
      ${!data && !error && html`<${Loading} />`}
      ${
        data &&
        html`
        <${Rights} scope="notify:write" what="changes, tests or replays" />
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
        <${Messages} key=${changes} endpoint=${data} path=${`${path}/messages`} />
      `
      }
    <//>
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
  const onClose = () => setDialog("");
  /** @param {string} did */
  function done(did) {
    onClose();
    toast(did);
    onDone();
  }

  async function test() {
    const text = "One message of the type notify.test is sent now, whatever the state of the endpoint.";
    if (await confirm({ title: "Send a test?", text, action: "Send 1 test" })) onTested(await post(`${path}/test`));
  }
  async function pause() {
    const text = "Nothing is sent to it until it is resumed. Messages of that time can be sent afterwards.";
    if (!(await confirm({ title: "Pause this endpoint?", text, action: "Pause 1 endpoint" }))) return;
    await post(`${path}/pause`);
    done("Paused: nothing is sent to it.");
  }
  async function resume() {
    const text = "New messages are sent to it again. What it has missed is sent by Recover.";
    if (!(await confirm({ title: "Resume this endpoint?", text, action: "Resume 1 endpoint" }))) return;
    await post(`${path}/resume`);
    done("Resumed: messages are sent to it again.");
  }
  async function remove() {
    const text = "Its URL and secret are deleted, and messages that wait are not sent any more. This cannot be undone.";
    const asked = { title: "Delete this endpoint?", text, action: "Delete 1 endpoint", isDangerous: true };
    if (!(await confirm(asked))) return;
    await del(path);
    toast(`Deleted the endpoint ${endpoint.url}.`);
    navigate("/console/endpoints");
  }
  async function replay() {
    const filter = messageFilter(query);
    const { messages: count, hasMore } = await post(`${path}/replay`, filter, { dryRun: true });
    if (count === 0) return toast("No message matches: replays are made of messages that have a final state.");
    const text = `Each is sent once more, with another webhook-id, so that a receiver that remembers ids does not ignore it.
      ${hasMore ? "More match than one request takes up; repeat it for the rest." : ""}`;
    if (!(await confirm({ title: `Send ${messages(count)} again?`, text, action: `Replay ${messages(count)}` })))
      return;
    const replayed = await post(`${path}/replay`, filter);
    done(`${counted(replayed.messages, "message is", "messages are")} due now.`);
  }
  return html`
    <p class="actions">
      <${Button} onClick=${test}>Test…<//>
      ${isActive ? html`<${Button} onClick=${pause}>Pause…<//>` : html`<${Button} kind="primary" onClick=${resume}>Resume…<//>`}
      ${isActive && html`<${Button} onClick=${() => setDialog("recover")}>Recover…<//>`}
      ${isActive && html`<${Button} onClick=${replay}>Replay all that match…<//>`}
      <${Button} icon="edit" onClick=${() => setDialog("change")}>Change…<//>
      <${Button} onClick=${() => setDialog("rotate")}>Rotate the secret…<//>
      <${Button} kind="danger" onClick=${remove}>Delete…<//>
    </p>
    ${!isActive && html`<p class="muted">Resume it to recover or replay messages.</p>`}
    ${dialog === "recover" && html`<${Recover} path=${path} onClose=${onClose} onDone=${done} />`}
    ${dialog === "change" && html`<${EndpointForm} endpoint=${endpoint} onClose=${onClose} onSaved=${() => done("Changed: messages are sent as it says now.")} />`}
    ${
      dialog === "rotate" &&
      html`<${Rotate} path=${path} onClose=${onClose} onSecret=${(/** @type {string} */ secret) => {
        onSecret(secret);
        done("Rotated: store the new secret.");
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
      ${response && html`<pre tabindex="0" aria-label="Response">${visible(response)}</pre>`}
    </div>
  `;
}

/** Counts before it sends. @param {{path: string, onClose: () => void, onDone: (did: string) => void}} props */
function Recover({ path, onClose, onDone }) {
  const [found, setFound] = useState(/** @type {(Api["ResentMessages"] & { since: string }) | null} */ (null));
  const dayAgo = new Date(Date.now() - 86_400_000);
  /** @param {FormData} form */
  async function submit(form) {
    const since = new Date(String(form.get("since"))).toISOString();
    const resent = await post(`${path}/recover`, { since }, { dryRun: found?.since !== since });
    if (resent.dryRun) setFound({ since, ...resent });
    else onDone(`${counted(resent.messages, "message is", "messages are")} due again.`);
  }
  const isNone = found?.messages === 0;
  const action = isNone ? null : found ? `Recover ${messages(found.messages)}` : "Count them";
  return html`
    <${FormDialog} title="Send what it has missed" action=${action} onClose=${onClose} onSubmit=${submit}>
      <p class="muted">Messages that were skipped, or whose attempts are exhausted, become due again, oldest first, with the same webhook-id.</p>
      <label>
        <span>Of events since</span>
        <input name="since" type="datetime-local" required defaultValue=${localTime(dayAgo)} onInput=${() => setFound(null)} />
      </label>
      <p role="status">${found && (isNone ? "It has missed nothing since then." : `${messages(found.messages)} would be sent${found.hasMore ? "; repeat it afterwards, there are more" : ""}.`)}</p>
    <//>
  `;
}

/** As an input of the type `datetime-local` has it, in the reader's zone. @param {Date} date */
function localTime(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {{path: string, onClose: () => void, onSecret: (secret: string) => void}} props */
function Rotate({ path, onClose, onSecret }) {
  /** @param {FormData} form */
  const rotate = async (form) =>
    onSecret((await post(`${path}/rotate`, { keepPrevious: form.get("previous") === "keep" })).secret);
  return html`
    <${FormDialog} title="Rotate the signing secret?" action="Rotate 1 secret" onClose=${onClose} onSubmit=${rotate}>
      <p>A new secret is made, and shown once. Receivers that do not know it will refuse messages as soon as the previous one ends.</p>
      <fieldset>
        <legend>The previous secret</legend>
        <label class="check"><input type="radio" name="previous" value="keep" defaultChecked /> signs too for a while, so that receivers can change over</label>
        <label class="check"><input type="radio" name="previous" value="end" /> ends now, because it has leaked</label>
      </fieldset>
    <//>
  `;
}
