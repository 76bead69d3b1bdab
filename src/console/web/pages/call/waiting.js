// What the page shows of a job without a result: how far it is, or why there is none and what to do.
import { get, patch, post } from "../../lib/api.js";
import { number, Time } from "../../lib/format.js";
import { html, useEffect, useState } from "../../lib/html.js";
import { Link } from "../../lib/router.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { useConfirm } from "../../parts/confirm.js";
import { useToast } from "../../parts/toast.js";
import { adviceFor, waitFor } from "./advice.js";

/** @param {{ job: any, onChange: () => Promise<void> }} props */
export function Waiting({ job, onChange }) {
  const { state } = job;
  if (job.resultExpiredAt) return html`<${Expired} at=${job.resultExpiredAt} />`;
  if (state === "queued") return html`<${Queued} job=${job} />`;
  if (state === "failed" || state === "timed_out") return html`<${Failed} job=${job} onChange=${onChange} />`;
  if (state === "canceled") {
    return html`<${Message} title="This job was canceled.">
      <p>It has no result. To have the recording analyzed, submit it again as a new job.</p>
    <//>`;
  }
  return html`<${Message} title=${state === "submitted" ? "The provider is analyzing the recording." : "The recording is being submitted."}>
    <p>This page shows the result as soon as it arrives. ${job.submittedAt && html`Submitted <${Time} at=${job.submittedAt} relative />; it`}${!job.submittedAt && "It"} times out <${Time} at=${job.deadlineAt} relative />.</p>
  <//>`;
}

/** @param {{ title: string, children?: any }} props */
function Message({ title, children }) {
  return html`<section class="panel call-state" role="status">
    <h2>${title}</h2>
    ${children}
  </section>`;
}

/** @param {{ job: any }} props */
function Queued({ job: { queue, deadlineAt } }) {
  if (!queue) return html`<${Message} title="Waiting to be submitted." />`;
  const isTooLate = Date.parse(queue.eta) > Date.parse(deadlineAt);
  return html`<${Message} title=${queue.position === 1 ? "Next in the queue" : `Number ${number(queue.position)} in the queue`}>
    <p>Expected to be submitted <${Time} at=${queue.eta} relative />. ${waitFor(queue.reason)}</p>
    ${isTooLate && html`<p class="bad">That is after its deadline (<${Time} at=${deadlineAt} />): it will time out.</p>`}
    ${queue.blockedUntil && html`<p>The provider takes no calls before <${Time} at=${queue.blockedUntil} />.</p>`}
  <//>`;
}

/** @param {{ at?: string }} props `at`: when it was, if that is known */
export function Expired({ at }) {
  return html`<${Message} title="The result was deleted because of its age.">
    <p>${at && html`That was <${Time} at=${at} relative />. `}It cannot be restored; to have the recording analyzed again, submit it as a new job.</p>
  <//>`;
}

/** @param {{ job: any, onChange: () => Promise<void> }} props */
function Failed({ job, onChange }) {
  const { error, state } = job;
  const title = state === "timed_out" ? "No result arrived before the deadline." : "The analysis failed.";
  return html`<${Message} title=${title}>
    ${error && state === "failed" && html`<p class="any-text error-message">${error.message}</p>`}
    ${
      error &&
      (error.code || error.parameter) &&
      html`<p class="muted any-text">
        ${error.code && html`Code <code><bdi>${error.code}</bdi></code>`}${error.parameter && html` Parameter <code><bdi>${error.parameter}</bdi></code>`}
      </p>`
    }
    ${error?.cause && html`<p class="muted any-text">Before that: ${error.cause.message}</p>`}
    ${error?.others?.length > 0 && html`<ul>${error.others.map((/** @type {any} */ { code, message }) => html`<li class="muted any-text"><bdi>${code}</bdi>: <bdi>${message}</bdi></li>`)}</ul>`}
    <p>${adviceFor(error)}</p>
    ${state === "timed_out" && html`<p>A result that arrives all the same still completes the job.</p>`}
    <${Retry} job=${job} onChange=${onChange} />
  <//>`;
}

/**
 * Retries a job. Where its recording is no longer known, it asks for another URL.
 * @param {{ job: any, onChange: () => Promise<void> }} props
 */
function Retry({ job, onChange }) {
  const session = useSession();
  const confirm = useConfirm();
  const toast = useToast();
  const [needsUrl, setNeedsUrl] = useState("");
  const [url, setUrl] = useState("");
  if (!may(session, "jobs:write")) return null;

  async function retry() {
    const text = "A retry is a new attempt, which is paid for again.";
    if (!(await confirm({ title: "Retry this job?", text, action: "Retry" }))) return;
    try {
      await post(`/v1/jobs/${job.id}/retry`, needsUrl ? { contentUri: url } : undefined);
    } catch (/** @type {any} */ error) {
      if (error.code !== "recording-expired" || job.media) throw error;
      setNeedsUrl(error.detail);
      return;
    }
    await onChange();
    toast("Queued again.");
  }

  return html`<div class="retry">
    ${
      needsUrl &&
      html`<label>
        <span class="any-text">${needsUrl}</span>
        <input type="url" required placeholder="https://…" value=${url} onInput=${(/** @type {any} */ event) => setUrl(event.currentTarget.value)} />
      </label>`
    }
    <${Button} kind="primary" icon="reload" disabled=${needsUrl !== "" && url === ""} onClick=${retry}>
      ${needsUrl ? "Retry with this URL" : "Retry"}
    <//>
  </div>`;
}

/** The key may see jobs, but not what was said. */
export function NotAllowed() {
  return html`<${Message} title="Your key may not read what was said.">
    <p>Sign in with a key that has the scope <code>transcript:read</code>.</p>
  <//>`;
}

/** The caller has no such job. Operators learn whose it is. @param {{ id: string }} props */
export function NotFound({ id }) {
  const session = useSession();
  const [owner, setOwner] = useState(/** @type {string | null} */ (null));
  const seesOthers = may(session, "admin:read");
  useEffect(() => {
    if (!seesOthers) return;
    get(`/v1/admin/jobs/${encodeURIComponent(id)}`).then(
      ({ caller }) => setOwner(caller),
      () => undefined,
    );
  }, [id, seesOthers]);

  async function lookAtOwner() {
    await patch("/console/session", { caller: owner });
    window.location.reload();
  }

  if (owner !== null && owner !== session.caller) {
    return html`<${Message} title="This job belongs to another caller.">
      <p class="any-text">You see what ${session.caller} sees; the job is one of ${owner}.</p>
      <p><${Button} kind="primary" icon="person" onClick=${lookAtOwner}>Look at it as ${owner}<//></p>
    <//>`;
  }
  return html`<${Message} title="There is no such job.">
    <p>It may belong to another caller, or have been deleted because of its age. Look for it in <${Link} href="/console/jobs">the list of jobs<//>.</p>
  <//>`;
}
