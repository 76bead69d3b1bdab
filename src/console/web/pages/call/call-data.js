// What the parts of the call page share about a finished call.

import { useMemo } from "../../lib/html.js";
import { markersOf, momentOfInsight } from "./insights.js";
import { createDetails } from "./load.js";
import { Places } from "./place.js";
import { silencesOf } from "./silence.js";
import { Cast } from "./speakers.js";
import { turnsOf } from "./turns.js";

/** @typedef {import("./insights.js").Insight} Insight */
/** @typedef {import("./insights.js").Span} Span */

/**
 * @typedef {object} CallData
 * @property {string} id of the job
 * @property {readonly import("./turns.js").Utterance[]} utterances
 * @property {readonly import("./turns.js").Turn[]} turns
 * @property {Places} places
 * @property {Cast} cast
 * @property {readonly any[]} speakers
 * @property {readonly Insight[] | undefined} insights undefined until they are there
 * @property {any} shape undefined until it is there
 * @property {readonly import("./insights.js").Marker[]} markers
 * @property {readonly Span[]} silences
 * @property {number} duration seconds
 * @property {import("./load.js").Details} details
 * @property {(insight: Insight) => Span | null} momentOf
 */

/**
 * @param {string} id of the job
 * @param {object} parts of the result
 * @param {readonly import("./turns.js").Utterance[]} parts.utterances
 * @param {readonly any[]} [parts.speakers]
 * @param {readonly Insight[]} [parts.insights]
 * @param {any} [parts.shape]
 * @param {number} parts.recorded seconds; 0 if the recording is not there
 * @returns {CallData}
 */
export function useCallData(id, { utterances, speakers = NONE, insights, shape, recorded }) {
  const basics = useMemo(() => {
    const places = new Places(utterances);
    const bySeq = new Map(utterances.map((utterance) => [utterance.seq, utterance]));
    const momentOf = (/** @type {Insight} */ insight) => momentOfInsight(insight, (seq) => bySeq.get(seq));
    return { utterances, turns: turnsOf(utterances), places, details: createDetails(id, utterances), momentOf };
  }, [id, utterances]);
  const duration = Math.max(recorded, basics.places.end);
  const silences = useMemo(() => silencesOf(utterances, duration), [utterances, duration]);
  const cast = useMemo(() => new Cast(speakers), [speakers]);
  const markers = useMemo(() => markersOf(insights ?? NONE, speakers, basics.momentOf), [insights, speakers, basics]);
  return useMemo(
    () => ({ id, ...basics, cast, speakers, insights, shape, markers, silences, duration }),
    [id, basics, cast, speakers, insights, shape, markers, silences, duration],
  );
}

/** @type {readonly any[]} */
const NONE = [];
