// The speakers with their names, which can be changed in place.
import { put } from "../../lib/api.js";
import { percent } from "../../lib/format.js";
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { words } from "../../lib/words.js";
import { Icon } from "../../parts/icon.js";
import { useToast } from "../../parts/toast.js";
import { Cast } from "./speakers.js";

/**
 * @param {object} props
 * @param {any} props.job
 * @param {readonly import("./speakers.js").Speaker[]} props.speakers
 * @param {Cast} props.cast
 * @param {boolean} props.mayName
 * @param {() => Promise<void>} props.onNamed
 */
export function SpeakerNames({ job, speakers, cast, mayName, onNamed }) {
  const [edited, setEdited] = useState(/** @type {string | null} */ (null));
  const toast = useToast();

  /** @param {string} speakerId @param {string} name */
  async function save(speakerId, name) {
    setEdited(null);
    const before = speakers.find((speaker) => speaker.speakerId === speakerId)?.speaker ?? "";
    if (name.trim() === before) return;
    try {
      // All names are replaced, so they must still be those that are shown.
      const headers = { "If-Match": `W/"${job.version}"` };
      await put(`/v1/jobs/${job.id}/speakers`, Cast.renamed(speakerId, name, speakers), undefined, { headers });
      toast(
        name.trim() === ""
          ? html`Speaker <bdi>${speakerId}</bdi> has no name now.`
          : html`Speaker <bdi>${speakerId}</bdi> is now called <bdi>${name.trim()}</bdi>.`,
      );
    } catch (error) {
      toast(words(error).join(" "), { isBad: true });
    } finally {
      await onNamed();
    }
  }

  return html`<ul class="speaker-names" aria-label="Speakers">
    ${speakers.map(({ speakerId, speaker, talkPercent }) => {
      const dot = html`<span class="speaker-dot" style=${{ background: `var(${cast.colorOf(speakerId)})` }}></span>`;
      return html`<li key=${speakerId}>
        ${
          edited === speakerId
            ? html`${dot}<${NameInput}
                  label=${`Name of speaker ${speakerId}`}
                  name=${speaker ?? ""}
                  onSave=${(/** @type {string} */ name) => save(speakerId, name)}
                  onCancel=${() => setEdited(null)}
                />`
            : mayName
              ? html`<button
                  type="button"
                  class="button quiet small speaker-name"
                  aria-label=${`Rename ${cast.nameOf(speakerId)}`}
                  onClick=${() => setEdited(speakerId)}
                >
                  ${dot}<bdi class="one-line">${cast.nameOf(speakerId)}</bdi><${Icon} name="edit" />
                </button>`
              : html`<span class="speaker-name">${dot}<bdi class="one-line">${cast.nameOf(speakerId)}</bdi></span>`
        }
        ${typeof talkPercent === "number" && html`<span class="muted numbers" title="Share of the talk">${percent(Math.round(talkPercent) / 100)}</span>`}
      </li>`;
    })}
  </ul>`;
}

/** @param {{ label: string, name: string, onSave: (name: string) => void, onCancel: () => void }} props */
function NameInput({ label, name, onSave, onCancel }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  // Leaving the field saves it, unless Escape has given it up.
  const isDone = useRef(false);
  useEffect(() => input.current?.select(), []);

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    finish(event.key === "Enter");
  }

  /** @param {boolean} isSaved */
  function finish(isSaved) {
    if (isDone.current) return;
    isDone.current = true;
    if (isSaved) onSave(input.current?.value ?? "");
    else onCancel();
  }

  return html`<input
    ref=${input}
    type="text"
    dir="auto"
    maxlength="200"
    aria-label=${label}
    defaultValue=${name}
    onKeyDown=${onKeyDown}
    onBlur=${() => finish(true)}
  />`;
}
