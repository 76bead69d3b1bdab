// What the list shows to those who have not submitted a call yet.
import { html, useState } from "../../lib/html.js";
import { Button } from "../../parts/button.js";
import { Icon } from "../../parts/icon.js";

/** @param {string} origin */
const curl = (origin) =>
  [
    `curl -sS ${origin}/v1/jobs -H "Authorization: Bearer $AFTERCALL_API_KEY"`,
    "  -H 'Content-Type: application/json'",
    `  -d '{"contentUri": "https://media.example/call.wav", "encoding": "Wav", "externalId": "call-1"}'`,
  ].join(" \\\n");

/** @param {{maySubmit: boolean, onNew: () => void}} props */
export function FirstCall({ maySubmit, onNew }) {
  const [isCopied, setCopied] = useState(false);
  const command = curl(window.location.origin);
  return html`<div class="first-call">
    ${
      maySubmit &&
      html`<div class="first-call-drop">
      <${Icon} name="upload" />
      <h2>Drop your first recording here</h2>
      <p class="muted">Who said what, with emotions, summaries, questions and tasks, a moment later.</p>
      <${Button} kind="primary" onClick=${onNew}>Choose files or a URL<//>
    </div>`
    }
    <div class="first-call-curl">
      <h3>${maySubmit ? "or from a terminal" : "No calls yet. Submit the first one from a terminal"}</h3>
      <pre tabindex="0"><code>${command}</code></pre>
      ${
        navigator.clipboard &&
        html`<${Button} onClick=${async () => {
          await navigator.clipboard.writeText(command);
          setCopied(true);
        }}>${isCopied ? "Copied" : "Copy"}<//>`
      }
      <p class="muted">The key is one of <code>aftercall keys create</code>. For a file: <code>aftercall submit call.wav</code></p>
    </div>
  </div>`;
}
