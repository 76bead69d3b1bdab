// Who talks how much, how fast, and over whom.
import { duration, number, percent } from "../../lib/format.js";
import { html, useMemo } from "../../lib/html.js";
import { Failure, Loading } from "../../parts/states.js";
import { RawLink } from "./raw-link.js";
import { balanceOf, insightOf } from "./talk.js";

/** @typedef {import("./call-data.js").CallData} CallData */

/** @param {{ call: CallData, error: any, retry: () => void, onGo: (seconds: number) => void }} props */
export function NumbersPanel({ call, error, retry, onGo }) {
  const { shape, cast, speakers } = call;
  if (!shape) return error ? html`<${Failure} error=${error} retry=${retry} />` : html`<${Loading} />`;
  return html`<div class="call-numbers">
    <section>
      <h2>Talk share</h2>
      <${TalkShare} shape=${shape} cast=${cast} />
    </section>
    ${shape.talk.length > 0 && html`<${Balance} shape=${shape} cast=${cast} onGo=${onGo} />`}
    <section>
      <h2>By speaker</h2>
      ${shape.speakers.map(
        (/** @type {any} */ own) =>
          html`<${SpeakerNumbers}
            key=${own.speakerId}
            own=${own}
            cast=${cast}
            speaker=${speakers.find(({ speakerId }) => speakerId === own.speakerId)}
          />`,
      )}
    </section>
    <section>
      <h2>The call as a whole</h2>
      <dl class="facts numbers">
        ${facts([
          ["Duration", duration(shape.durationSeconds)],
          ["Talk", duration(shape.talkSeconds)],
          ["Silence", `${duration(shape.silenceSeconds)}, longest ${seconds(shape.longestSilenceSeconds)}`],
          ["Talk over one another", seconds(shape.overlapSeconds)],
          ["Interruptions", number(shape.interruptions)],
          ["Longest monologue", seconds(shape.longestMonologueSeconds)],
          ["Questions", number(shape.questions)],
          ["Words", number(shape.words)],
          ["Pace", pace(shape.wordsPerMinute)],
        ])}
      </dl>
    </section>
    <${RawLink} paths=${[`/v1/jobs/${call.id}/shape`]} />
  </div>`;
}

/** @param {readonly (readonly [string, any] | false | null | undefined)[]} rows */
const facts = (rows) =>
  rows.map(
    (row) => row && row[1] !== null && html`<div key=${row[0]} class="fact"><dt>${row[0]}</dt><dd>${row[1]}</dd></div>`,
  );

/** @param {number} value */
const seconds = (value) => (value < 60 ? `${number(Math.round(value * 10) / 10)} s` : duration(value));

/** @param {number | null | undefined} wordsPerMinute */
const pace = (wordsPerMinute) =>
  typeof wordsPerMinute === "number" ? `${number(Math.round(wordsPerMinute))} words a minute` : null;

/** @param {{ shape: any, cast: import("./speakers.js").Cast }} props */
function TalkShare({ shape, cast }) {
  return html`<ul class="talk-share">
    ${shape.speakers.map(
      (/** @type {any} */ { speakerId, talkShare, talkSeconds }) =>
        html`<li key=${speakerId}>
          <bdi class="one-line">${cast.nameOf(speakerId)}</bdi>
          <span class="numbers">${percent(talkShare ?? 0)} <span class="muted">${duration(talkSeconds)}</span></span>
          <span class="bar"><span style=${{ width: `${(talkShare ?? 0) * 100}%`, background: `var(${cast.colorOf(speakerId)})` }}></span></span>
        </li>`,
    )}
  </ul>`;
}

/** @param {{ shape: any, cast: import("./speakers.js").Cast, onGo: (seconds: number) => void }} props */
function Balance({ shape, cast, onGo }) {
  const ids = useMemo(() => shape.speakers.map((/** @type {any} */ { speakerId }) => speakerId), [shape]);
  const bars = useMemo(() => balanceOf(shape.talk, ids, shape.bucket, shape.durationSeconds), [shape, ids]);
  return html`<section>
    <h2>Balance over time</h2>
    <div class="balance" role="group" aria-label="Balance over time">
      ${bars.map(({ start, end, parts }) => {
        const shares = parts
          .map(({ speakerId, from, to }) => `${cast.nameOf(speakerId)} ${percent(to - from)}`)
          .join(", ");
        const said = `${duration(start)} to ${duration(end)}: ${shares || "nobody talks"}`;
        return html`<button key=${start} type="button" class="balance-bar" title=${said} aria-label=${said} onClick=${() => onGo(start)}>
          ${parts.map(
            ({ speakerId, from, to }) =>
              html`<span key=${speakerId} style=${{ height: `${(to - from) * 100}%`, background: `var(${cast.colorOf(speakerId)})` }}></span>`,
          )}
        </button>`;
      })}
    </div>
    <p class="balance-axis muted numbers"><span>0:00</span><span>${duration(shape.durationSeconds)}</span></p>
  </section>`;
}

/** Insights that are shown under words of their own. */
const SHOWN = ["Energy", "Pace", "TalkToListenRatio", "QuestionsAsked"];

/** @param {{ own: any, speaker: any, cast: import("./speakers.js").Cast }} props */
function SpeakerNumbers({ own, speaker, cast }) {
  const energy = speaker && insightOf(speaker, "Energy");
  const named = speaker && insightOf(speaker, "Pace");
  const others = (speaker?.insights ?? []).filter((/** @type {any} */ { name }) => !SHOWN.includes(name));
  const words = pace(own.wordsPerMinute);
  return html`<div class="speaker-numbers">
    <h3><span class="speaker-dot" style=${{ background: `var(${cast.colorOf(own.speakerId)})` }}></span><bdi class="one-line">${cast.nameOf(own.speakerId)}</bdi></h3>
    <dl class="facts numbers">
      ${facts([
        ["Pace", words && (named ? html`${words}, <bdi>${named.value}</bdi>` : words)],
        ["Longest monologue", seconds(own.longestMonologueSeconds)],
        ["Interrupts", number(own.interrupts)],
        ["Is interrupted", number(own.interrupted)],
        ["Questions", number(own.questions)],
        ["Words", number(own.words)],
        energy && [
          "Energy",
          typeof energy.number === "number" ? number(energy.number) : html`<bdi>${energy.value}</bdi>`,
        ],
        ...others.map((/** @type {any} */ { name, value }) => /** @type {const} */ ([name, html`<bdi>${value}</bdi>`])),
      ])}
    </dl>
  </div>`;
}
