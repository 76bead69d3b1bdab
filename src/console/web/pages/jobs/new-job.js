// The dialog for new jobs: recordings from files and URLs, their uploads, and the options for all of them.
import { Problem, post } from "../../lib/api.js";
import { bytes, duration, number, percent } from "../../lib/format.js";
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { words } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { Icon } from "../../parts/icon.js";
import { faultWords } from "../../parts/states.js";
import { useFileDrop } from "./drop.js";
import { AUDIO_TYPES, inWords } from "./filters.js";
import { ALL_ENCODINGS, likelyEncoding, likelyName, toRequest } from "./recordings.js";
import { upload } from "./upload.js";

/** @typedef {import("./recordings.js").Options} Options */
/** @typedef {import("./rows.js").Job} Job */

/**
 * @typedef {object} Item A recording in the dialog.
 * @property {string} key
 * @property {string} externalId
 * @property {File} [file]
 * @property {string} [url]
 * @property {string} [encoding]
 * @property {"waiting" | "uploading" | "ready" | "failed"} step
 * @property {number} progress
 * @property {AbortController} [running] The upload.
 * @property {import("./upload.js").Media} [media]
 * @property {Problem} [problem] Why it was not uploaded or not accepted.
 * @property {{body: string, key: string}} [sent] A request that is repeated has the same key, so that it is paid for once.
 */

/** The service lets a caller do a few more transfers at a time. */
const UPLOADS_AT_ONCE = 3;

/** @type {Options} */
const DEFAULTS = {
  tags: "",
  audioType: "",
  languageCode: "",
  speakers: "automatic",
  hasWordTimings: true,
  isAgain: false,
};

/** Unlike `crypto.randomUUID`, this works on pages without TLS, too. */
const randomKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {File} file @returns {Item} */
const fromFile = (file) => ({
  key: randomKey(),
  externalId: likelyName(file.name),
  file,
  step: "waiting",
  progress: 0,
});

/** @param {string} url @returns {Item} */
const fromUrl = (url) => ({
  key: randomKey(),
  externalId: likelyName(url),
  url,
  encoding: likelyEncoding(url),
  step: "ready",
  progress: 1,
});

/**
 * The recordings and how far they are. Files are uploaded at once, a few at a time.
 * @param {readonly File[]} files Those the dialog was opened with.
 */
function useItems(files) {
  const [items, setItems] = useState(() => files.map(fromFile));
  const latest = useRef(items);
  latest.current = items;

  /** @param {string} key @param {Partial<Item>} change */
  const change = (key, change) =>
    setItems((all) => all.map((item) => (item.key === key ? { ...item, ...change } : item)));
  /** @param {Item[]} added */
  const add = (added) => setItems((all) => [...all, ...added]);
  /** @param {Item} removed */
  const remove = (removed) => {
    removed.running?.abort();
    setItems((all) => all.filter(({ key }) => key !== removed.key));
  };

  /** @param {Item} item */
  async function start({ key, file }) {
    const running = new AbortController();
    change(key, { step: "uploading", progress: 0, problem: undefined, running });
    try {
      const media = await upload(/** @type {File} */ (file), (progress) => change(key, { progress }), running.signal);
      change(key, { step: "ready", media });
    } catch (problem) {
      if (problem instanceof Problem) change(key, { step: "failed", problem });
    }
  }

  useEffect(() => {
    const free = UPLOADS_AT_ONCE - items.filter(({ step }) => step === "uploading").length;
    for (const item of items.filter(({ step }) => step === "waiting").slice(0, Math.max(0, free))) start(item);
  }, [items]);
  useEffect(
    () => () => {
      for (const { running } of latest.current) running?.abort();
    },
    [],
  );
  return { items, add, change, remove };
}

/**
 * @param {{ files: readonly File[], onClose: () => void, onSubmitted: (jobs: Job[]) => void }} props
 *   `files`: those it is opened with
 */
export function NewJob({ files, onClose, onSubmitted }) {
  const { items, add, change, remove } = useItems(files);
  const addFiles = (/** @type {File[]} */ more) => add(more.map(fromFile));
  const isOver = useFileDrop(addFiles);
  const [options, setOptions] = useState(DEFAULTS);
  const [done, setDone] = useState(/** @type {Job[]} */ ([]));
  const ready = items.filter(({ step }) => step === "ready");
  const isUploading = items.some(({ step }) => step === "waiting" || step === "uploading");

  /** @param {Item} item @returns {Promise<Job | null>} */
  async function submit(item) {
    const body = toRequest(item, options);
    const text = JSON.stringify(body);
    const key = item.sent?.body === text ? item.sent.key : randomKey();
    change(item.key, { sent: { body: text, key }, problem: undefined });
    try {
      return await post("/v1/jobs", body, {}, { headers: { "Idempotency-Key": key } });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      change(item.key, { problem });
      return null;
    }
  }

  async function submitAll() {
    /** @type {Job[]} */
    const jobs = [];
    for (const item of ready) {
      const job = await submit(item);
      if (job === null) continue;
      jobs.push(job);
      remove(item);
    }
    const all = [...done, ...jobs];
    setDone(all);
    // What was rejected stays, so that the reader can mend it.
    if (jobs.length === items.length) onSubmitted(all);
  }

  function close() {
    if (done.length > 0) onSubmitted(done);
    else onClose();
  }

  const count = ready.length > 1 ? `${number(ready.length)} recordings` : "";
  return html`<${Dialog} title="New job" class="new-job" onClose=${close}>
    <form noValidate onSubmit=${(/** @type {SubmitEvent} */ event) => event.preventDefault()}>
      <${Sources} isEmpty=${items.length === 0} isOver=${isOver} onFiles=${addFiles}
        onUrl=${(/** @type {string} */ url) => add([fromUrl(url)])} />
      ${
        items.length > 0 &&
        html`<ul class="recordings" aria-label="Recordings">
        ${items.map(
          (item) => html`<${RecordingRow} key=${item.key} item=${item} onRemove=${() => remove(item)}
          onChange=${(/** @type {Partial<Item>} */ changed) => change(item.key, changed)} />`,
        )}
      </ul>`
      }
      <${OptionFields} options=${options} onChange=${(/** @type {Partial<Options>} */ changed) => setOptions({ ...options, ...changed })} />
      <footer>
        <${Button} onClick=${close}>Cancel<//>
        <${Button} kind="primary" type="submit" disabled=${ready.length === 0 || isUploading} onClick=${submitAll}>
          ${isUploading ? "Uploading …" : `Submit ${count}`}
        <//>
      </footer>
    </form>
  <//>`;
}

/** @param {{isEmpty: boolean, isOver: boolean, onFiles: (files: File[]) => void, onUrl: (url: string) => void}} props */
function Sources({ isEmpty, isOver, onFiles, onUrl }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [url, setUrl] = useState("");
  function addUrl() {
    if (url.trim() === "") return;
    onUrl(url.trim());
    setUrl("");
  }
  return html`<div class=${`sources ${isEmpty ? "is-empty" : ""} ${isOver ? "is-over" : ""}`}>
    <input ref=${input} type="file" class="visually-hidden" id="new-job-files" aria-label="Files" multiple accept="audio/*,video/*" tabindex="-1"
      onChange=${() => {
        onFiles([...(input.current?.files ?? [])]);
        if (input.current) input.current.value = "";
      }} />
    <div class="source-files">
      <${Button} icon="upload" onClick=${() => input.current?.click()}>Choose files<//>
      <span class="muted">or drop them anywhere: WAV, MP3, MP4, AAC, Ogg, WebM</span>
    </div>
    <div class="source-url">
      <label class="visually-hidden" for="new-job-url">URL of a recording</label>
      <input id="new-job-url" type="url" placeholder="https://… a URL that the provider can fetch" value=${url} onChange=${addUrl}
        onInput=${(/** @type {InputEvent} */ event) => setUrl(/** @type {HTMLInputElement} */ (event.currentTarget).value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          addUrl();
        }} />
      <${Button} onClick=${addUrl} disabled=${url.trim() === ""}>Add URL<//>
    </div>
  </div>`;
}

/** @param {{item: Item, onRemove: () => void, onChange: (change: Partial<Item>) => void}} props */
function RecordingRow({ item, onRemove, onChange }) {
  const name = item.file?.name ?? item.url ?? "";
  return html`<li class=${`recording is-${item.step}`}>
    <div class="recording-head">
      <bdi class="recording-name" title=${name}>${name}</bdi>
      <${RecordingFacts} item=${item} />
      <button type="button" class="button quiet small" aria-label=${`Remove ${name}`} onClick=${onRemove}><${Icon} name="close" /></button>
    </div>
    ${item.step === "uploading" && html`<progress max="1" value=${item.progress} aria-label=${`Upload of ${name}`}>${percent(item.progress)}</progress>`}
    <div class="recording-fields">
      <label><span>External id</span>
        <input value=${item.externalId} maxlength="200"
          onInput=${(/** @type {InputEvent} */ event) => onChange({ externalId: /** @type {HTMLInputElement} */ (event.currentTarget).value })} />
      </label>
      ${
        item.url !== undefined &&
        html`<label><span>Encoding</span>
        <select value=${item.encoding} onChange=${(/** @type {Event} */ event) => onChange({ encoding: /** @type {HTMLSelectElement} */ (event.currentTarget).value })}>
          ${ALL_ENCODINGS.map((encoding) => html`<option key=${encoding}>${encoding}</option>`)}
        </select>
      </label>`
      }
    </div>
    ${
      item.problem &&
      html`<${Rejection} problem=${item.problem}
      onRetry=${item.step === "failed" ? () => onChange({ step: "waiting", problem: undefined }) : undefined} />`
    }
  </li>`;
}

/** @param {{item: Item}} props */
function RecordingFacts({ item: { step, progress, file, media } }) {
  if (step === "uploading") return html`<span class="muted">${percent(progress)}</span>`;
  if (step === "waiting" && file) return html`<span class="muted">${bytes(file.size)}</span>`;
  if (!media) return null;
  const channels = media.channels === 1 ? "1 channel" : `${media.channels} channels`;
  return html`<span class="muted">${duration(media.durationSeconds)}, ${channels}, ${bytes(media.bytes)}</span>`;
}

/** Why a recording was not taken, in the words of the service. @param {{problem: Problem, onRetry?: () => void}} props */
function Rejection({ problem, onRetry }) {
  const [title, text] = words(problem);
  // The same file is rejected again, unless the fault lies elsewhere.
  const isPassing = problem.isOffline || problem.status >= 500 || [408, 429].includes(problem.status);
  return html`<div class="recording-problem" role="alert">
    <${Icon} name="warning" />
    <div>
      ${
        problem.errors.length > 0
          ? html`<ul>${problem.errors.map((fault) => html`<li>${faultWords(fault)}</li>`)}</ul>`
          : html`<p><strong>${title}</strong> ${text}</p>`
      }
      ${onRetry && isPassing && html`<button type="button" class="button small" onClick=${onRetry}>Try again</button>`}
    </div>
  </div>`;
}

/** @param {{options: Options, onChange: (change: Partial<Options>) => void}} props */
function OptionFields({ options, onChange }) {
  const text = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.currentTarget).value;
  const isChecked = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.currentTarget).checked;
  return html`<fieldset class="new-job-options">
    <legend>Options for all of them</legend>
    <label><span>Tags</span>
      <input value=${options.tags} placeholder="support, north" onInput=${(/** @type {InputEvent} */ event) => onChange({ tags: text(event) })} />
    </label>
    <label><span>Type</span>
      <select value=${options.audioType} onChange=${(/** @type {Event} */ event) => onChange({ audioType: text(event) })}>
        <option value="">Not specified</option>
        ${AUDIO_TYPES.map((type) => html`<option key=${type} value=${type}>${inWords(type)}</option>`)}
      </select>
    </label>
    <label><span>Speakers</span>
      <select value=${options.speakers} onChange=${(/** @type {Event} */ event) => onChange({ speakers: /** @type {any} */ (text(event)) })}>
        <option value="automatic">One per channel if there are two</option>
        <option value="channels">One per channel</option>
        <option value="voices">Told apart by their voices</option>
      </select>
    </label>
    <label><span>Language</span>
      <input value=${options.languageCode} placeholder="en-US" onInput=${(/** @type {InputEvent} */ event) => onChange({ languageCode: text(event) })} />
    </label>
    <label class="check"><input type="checkbox" checked=${options.hasWordTimings}
      onChange=${(/** @type {Event} */ event) => onChange({ hasWordTimings: isChecked(event) })} /> Time of each word</label>
    <label class="check"><input type="checkbox" checked=${options.isAgain}
      onChange=${(/** @type {Event} */ event) => onChange({ isAgain: isChecked(event) })} /> Analyze again, even if there is a result already</label>
  </fieldset>`;
}
