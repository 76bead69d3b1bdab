import { post } from "../lib/api.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { words } from "../lib/words.js";
import { Logo } from "../parts/icon.js";

/** @typedef {import("../lib/session.js").Session} Session */

/** @param {{ hasEnded: boolean, onSignedIn: (session: Session) => void }} props `hasEnded`: whether a session was open */
export function SignIn({ hasEnded, onSignedIn }) {
  const [error, setError] = useState(/** @type {[string, string] | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const isLinkSpent = new URLSearchParams(window.location.search).has("code");
  const title = hasEnded ? "Your session has ended" : "Sign in";
  const introduction = hasEnded
    ? "Sign in again to go on where you were."
    : isLinkSpent
      ? "This link has been used or is too old: each works once. Sign in with an API key, or restart the service for a new link."
      : "See your conversations, with an API key of Aftercall.";
  useEffect(() => {
    document.title = `${title} · Aftercall`;
    input.current?.focus();
  }, [title]);

  /** @param {SubmitEvent} event */
  async function signIn(event) {
    event.preventDefault();
    const key = input.current?.value.trim() ?? "";
    if (key === "" || isBusy) return fail("Paste an API key.", "");
    setBusy(true);
    try {
      onSignedIn(await post("/console/session", { key }));
    } catch (problem) {
      setBusy(false);
      if (/** @type {any} */ (problem).status === 401) {
        fail(
          "This key is not valid.",
          "It may be incomplete, revoked or expired. A key begins with ac_ and is shown once, when it is made.",
        );
      } else fail(...words(problem));
    }
  }

  /** @param {string} what @param {string} help */
  function fail(what, help) {
    setError([what, help]);
    input.current?.focus();
    input.current?.select();
  }

  return html`<main class="sign-in">
    <form onSubmit=${signIn} novalidate>
      <${Logo} />
      <h1>${title}</h1>
      <p class="muted">${introduction}</p>
      <label for="key">API key</label>
      <input
        ref=${input}
        id="key"
        type="password"
        autocomplete="off"
        spellcheck=${false}
        placeholder="ac_…"
        aria-invalid=${error !== null}
        aria-describedby=${error ? "key-error key-help" : "key-help"}
      />
      ${error && html`<p id="key-error" class="error" role="alert"><strong>${error[0]}</strong> ${error[1]}</p>`}
      <button type="submit" class="button primary" aria-busy=${isBusy}>Sign in</button>
      <div id="key-help" class="muted">
        <p>No key yet? On the machine that runs the service:</p>
        <pre><code>aftercall keys create my-name</code></pre>
        <p>The key is sealed in a cookie that no script can read. The session ends with the key.</p>
      </div>
    </form>
  </main>`;
}
