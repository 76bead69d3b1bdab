// One delivery: what is known of it, its body as text, its replay.
import { open, post, useGet } from "../../lib/api.js";
import { bytes, Time } from "../../lib/format.js";
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { Choice } from "../../parts/choice.js";
import { useConfirm } from "../../parts/confirm.js";
import { Icon } from "../../parts/icon.js";
import { Failure, Loading } from "../../parts/states.js";
import { useToast } from "../../parts/toast.js";
import { beginning, formatted, MOST_SHOWN, visible } from "./body.js";
import { Facts, JobLink, Status } from "./parts.js";

/** @type {Record<string, import("./vitals.js").Level>} */
const LEVELS = { accepted: "good", malformed: "bad", mismatch: "bad", late: "warn" };

/** @param {{delivery: Api["DeliveryView"]}} props */
export function Outcome({ delivery: { outcome, quarantined } }) {
  const level = LEVELS[outcome] ?? "none";
  const isResolved = level === "bad" && !quarantined;
  return html`<${Status} level=${isResolved ? "none" : level}>${outcome}${isResolved ? ", resolved" : ""}<//>`;
}

/** @param {{id: string, close: () => void, onReplayed: () => unknown}} props */
export function Delivery({ id, close, onReplayed }) {
  const path = `/v1/admin/deliveries/${encodeURIComponent(id)}`;
  const { data, error, reload } = useGet(path);
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  useEffect(() => heading.current?.focus(), []);
  return html`
    <section class="panel detail" aria-label="Delivery">
      <header class="detail-header">
        <h2 ref=${heading} tabindex="-1">Delivery</h2>
        <button type="button" class="button quiet small" aria-label="Close the delivery" onClick=${close}><${Icon} name="close" /></button>
      </header>
      ${error && html`<${Failure} error=${error} retry=${reload} />`}
      ${!data && !error && html`<${Loading} />`}
      ${
        data &&
        html`
        <${Facts} facts=${[
          ["Outcome", html`<${Outcome} delivery=${data} />${data.quarantined ? ", in quarantine" : ""}`],
          ["Reason", data.reason],
          ["Received", html`<${Time} at=${data.receivedAt} />`],
          ["Via", data.via],
          [
            "Job",
            html`<${JobLink} id=${data.jobId} caller=${data.caller} /> of ${data.caller}, attempt ${data.attempt}`,
          ],
          ["Replay of", data.replayOf && html`<code>${data.replayOf}</code>`],
          ["Id", html`<code>${data.id}</code>`],
          ["Body", bytes(data.bodyBytes)],
          ["SHA-256", html`<code>${data.bodySha256}</code>`],
        ]} />
        <${Replay} delivery=${data} path=${path} onReplayed=${() => {
          reload();
          onReplayed();
        }} />
        <h3>Headers</h3>
        <${Facts} facts=${Object.entries(data.headers).map(([name, value]) => [name, html`<code>${visible(String(value))}</code>`])} />
        <${Body} delivery=${data} path=${`${path}/body`} />
      `
      }
    </section>
  `;
}

/** @param {{delivery: Api["DeliveryView"], path: string, onReplayed: () => void}} props */
function Replay({ delivery, path, onReplayed }) {
  const session = useSession();
  const confirm = useConfirm();
  const toast = useToast();
  if (!may(session, "admin:write") || delivery.via === "replay") return null;

  /** @param {boolean} acceptMismatch */
  async function replay(acceptMismatch) {
    const usual = `The delivery is read again by the current parser, and applied as if it had arrived now. It may complete or fail its job; a
      result that exists stays as it is.`;
    const anyway = `The delivery names another job of the provider than the one Aftercall submitted. Look at its body first: if it belongs to
      another conversation, this job gets the wrong result.`;
    const asked = {
      title: acceptMismatch ? "Accept this delivery although it names another job?" : "Replay this delivery?",
      text: acceptMismatch ? anyway : usual,
      action: acceptMismatch ? "Accept and replay" : "Replay 1 delivery",
      isDangerous: acceptMismatch,
    };
    if (!(await confirm(asked))) return;
    const { outcome } = await post(`${path}/replay`, { acceptMismatch });
    toast(`Replayed: ${outcome}.`, { isBad: LEVELS[outcome] === "bad" });
    onReplayed();
  }
  return html`
    <p class="actions">
      <${Button} onClick=${() => replay(false)}>Replay…<//>
      ${delivery.outcome === "mismatch" && html`<${Button} kind="danger" onClick=${() => replay(true)}>Accept the mismatch…<//>`}
    </p>
  `;
}

/** @param {{delivery: Api["DeliveryView"], path: string}} props */
function Body({ delivery, path }) {
  const { scopes } = useSession();
  const [body, setBody] = useState(/** @type {Awaited<ReturnType<typeof beginning>> | null} */ (null));
  const [isRaw, setRaw] = useState(false);
  if (!scopes.includes("transcript:raw")) {
    return html`<h3>Body</h3><p class="muted">It says what was said: only a key with the scope <code>transcript:raw</code> may see it.</p>`;
  }
  async function load() {
    const response = await open(path);
    const encoding = String(delivery.headers["content-encoding"] ?? "");
    setBody(await beginning(/** @type {ReadableStream<Uint8Array>} */ (response.body), encoding));
  }
  const pretty = body?.isWhole ? formatted(body.text) : null;
  const text = body && visible(pretty !== null && !isRaw ? pretty : body.text);
  const forms = [
    { value: "", label: "Formatted" },
    { value: "raw", label: "As received" },
  ];
  return html`
    <div class="detail-header">
      <h3>Body</h3>
      ${pretty !== null && html`<${Choice} label="Form" isLabelHidden options=${forms} value=${isRaw ? "raw" : ""} onChange=${(/** @type {string} */ form) => setRaw(form === "raw")} />`}
    </div>
    <p class="actions">
      ${!body && html`<${Button} onClick=${load}>Show the body<//>`}
      <a class="button plain" href=${path} download=${`delivery-${delivery.id}`}><${Icon} name="download" />Download ${bytes(delivery.bodyBytes)}</a>
    </p>
    ${
      body &&
      html`
      ${body.note && html`<p class="muted">${body.note}</p>`}
      <pre class="body" tabindex="0" aria-label="Body of the delivery"><bdi>${text}</bdi></pre>
      ${!body.isWhole && html`<p class="muted">These are the first ${bytes(MOST_SHOWN)}. Download it to see the rest.</p>`}
    `
    }
  `;
}
