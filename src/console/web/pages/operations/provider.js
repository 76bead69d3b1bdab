// Whether the provider accepts submissions, and if not, why.
import { useGet } from "../../lib/api.js";
import { number, Time } from "../../lib/format.js";
import { html } from "../../lib/html.js";
import { Failure, Loading } from "../../parts/states.js";
import { age } from "./ages.js";
import { Ago, Facts, Meter, Status, useEvery } from "./parts.js";

/** @type {Record<string, {what: string, todo: string}>} */
const REFUSALS = {
  auth: {
    what: "it rejects Aftercall's credentials, or the permissions of its app",
    todo: "Correct the provider's credentials in the settings, or give the app the permission AI.",
  },
  upstream: {
    what: "the URL, or something between Aftercall and the provider, is wrong",
    todo: "Check provider.base_url, webhook.public_url, and the proxies in between.",
  },
};

export function Provider() {
  const provider = useGet("/v1/admin/provider");
  const overview = useGet("/v1/admin/overview");
  useEvery(() => {
    provider.reload();
    overview.reload();
  });
  const error = provider.error ?? overview.error;
  if (!provider.data || !overview.data) {
    return error ? html`<${Failure} error=${error} retry=${provider.reload} />` : html`<${Loading} />`;
  }
  const { takesSubmissions, refusing, blockedUntil } = provider.data;
  const { rateLimit, rateRemaining, penaltySeconds, newestDriftAt } = overview.data.provider;
  const { queue, jobs, deadlines } = overview.data;
  return html`
    <section class="panel" aria-label="Submissions">
      <h2>
        ${
          takesSubmissions && !blockedUntil
            ? html`<${Status} level="good">Jobs are submitted as fast as the rate limit allows<//>`
            : html`<${Status} level="bad">Jobs are held back<//>`
        }
      </h2>
      ${refusing && html`<${Refusal} refusing=${refusing} />`}
      ${
        blockedUntil &&
        html`<p>
        The provider's rate limit was exceeded. No calls are made before <${Time} at=${blockedUntil} /> (<${Time} at=${blockedUntil} relative />).
      </p>`
      }
      ${(!takesSubmissions || blockedUntil) && html`<p class="muted">Jobs stay queued until their deadline, and are submitted by themselves once this is over.</p>`}
    </section>
    <div class="bar-grid">
      <section class="panel" aria-label="Rate limit">
        <h2>Rate limit</h2>
        <p class="big-number">${number(rateRemaining)} <span class="muted">of ${number(rateLimit)} calls left</span></p>
        <${Meter} used=${rateLimit - rateRemaining} of=${rateLimit} label=${`${number(rateLimit - rateRemaining)} of ${number(rateLimit)} calls used`} />
        <p class="muted">All processes share it. The window and the limit are <code>provider.gate</code> in the settings.</p>
        <${Facts} facts=${[["Penalty", penaltySeconds > 0 ? `${age(penaltySeconds)} left` : "none"]]} />
      </section>
      <section class="panel" aria-label="Queue">
        <h2>What waits for it</h2>
        <${Facts} facts=${[
          ["Queued", number(jobs.queued.count)],
          ["Oldest due", queue.oldestDueSeconds > 0 ? age(queue.oldestDueSeconds) : "none waits"],
          ["Time for the queue", queue.etaSeconds > 0 ? age(queue.etaSeconds) : "none"],
          ["Will be late", number(deadlines.lateJobs)],
          ["At the provider", number(jobs.submitting.count + jobs.submitted.count)],
          ["Unconfirmed attempts", number(jobs.unconfirmedAttempts)],
          ["Newest difference", html`<${Ago} at=${newestDriftAt} never="none" />`],
        ]} />
      </section>
    </div>
  `;
}

/** @param {{refusing: NonNullable<Api["ProviderView"]["refusing"]>}} props */
function Refusal({ refusing }) {
  const { what, todo } = REFUSALS[refusing.class] ?? { what: `of the class ${refusing.class}`, todo: "" };
  return html`
    <p>The provider has rejected every submission since <${Time} at=${refusing.since} />: ${what}. ${todo}</p>
    <${Facts} facts=${[
      ["Last status", refusing.status ?? "the login was rejected"],
      ["Provider's code", refusing.code],
      ["Next attempt", html`<${Time} at=${refusing.nextProbeAt} relative />`],
    ]} />
  `;
}
