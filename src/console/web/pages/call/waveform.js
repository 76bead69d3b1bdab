// What the waveform shows, as numbers: columns of a lane, who speaks in them, and where its markers are.

/** @typedef {{ start: number, end: number, speakerId?: string | null }} Said */

/**
 * The greatest peak of each column.
 * @param {readonly number[]} peaks evenly over the recording, from 0 to 255
 * @param {number} count of columns
 * @returns {Float32Array} from 0 to 1
 */
export function columnsOf(peaks, count) {
  const columns = new Float32Array(count);
  for (let column = 0; column < count; column++) {
    const from = Math.floor((column * peaks.length) / count);
    const to = Math.max(from + 1, Math.ceil(((column + 1) * peaks.length) / count));
    for (let index = from; index < to && index < peaks.length; index++) {
      columns[column] = Math.max(columns[column], peaks[index] / 255);
    }
  }
  return columns;
}

/**
 * Seconds that each speaker talks in each column.
 * @param {readonly Said[]} utterances
 * @param {readonly string[]} speakers
 * @param {number} duration seconds
 * @param {number} count of columns
 * @returns {Float32Array[]} for each speaker
 */
export function talkOf(utterances, speakers, duration, count) {
  const talk = speakers.map(() => new Float32Array(count));
  const places = new Map(speakers.map((id, index) => [id, index]));
  if (duration <= 0) return talk;
  const width = duration / count;
  for (const { start, end, speakerId } of utterances) {
    const own = talk[places.get(speakerId ?? "") ?? -1];
    if (!own) continue;
    const last = Math.min(count - 1, Math.floor(end / width));
    for (let column = Math.max(0, Math.floor(start / width)); column <= last; column++) {
      own[column] += Math.max(0, Math.min(end, (column + 1) * width) - Math.max(start, column * width));
    }
  }
  return talk;
}

/**
 * The speaker who talks most in each column.
 * @param {readonly Float32Array[]} talk of each speaker
 * @param {(speaker: number) => boolean} [isHere] whether a speaker belongs to the lane
 * @returns {Int16Array} indices of speakers; -1 where none of them talks
 */
export function speakersOf(talk, isHere = () => true) {
  const count = talk[0]?.length ?? 0;
  const found = new Int16Array(count).fill(-1);
  for (let column = 0; column < count; column++) {
    let most = 0;
    talk.forEach((own, speaker) => {
      if (own[column] <= most || !isHere(speaker)) return;
      most = own[column];
      found[column] = speaker;
    });
  }
  return found;
}

/** How much louder than all others a channel has to be while someone talks, to be theirs. */
const LEAD = 1.5;

/**
 * The channel of each speaker: the one that is loudest while they talk. So recordings with one side per channel are recognized.
 * @param {readonly Float32Array[]} lanes columns of each channel
 * @param {readonly Float32Array[]} talk of each speaker, in the same columns
 * @returns {number[]} for each speaker; -1 for those who are on several channels alike
 */
export function channelsOf(lanes, talk) {
  return talk.map((own) => {
    const loudness = lanes.map((lane) => lane.reduce((sum, peak, column) => sum + peak * own[column], 0));
    const loudest = loudness.indexOf(Math.max(...loudness));
    const isTheirs = loudness.every((other, channel) => channel === loudest || loudness[loudest] > other * LEAD);
    return isTheirs ? loudest : -1;
  });
}

/**
 * The marker nearest to a point, if one is near enough to be meant.
 * @template {{ start: number }} M
 * @param {readonly M[]} markers in the order of time
 * @param {number} seconds
 * @param {number} reach seconds
 * @returns {M | null}
 */
export function markerNear(markers, seconds, reach) {
  let low = 0;
  let high = markers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (markers[middle].start < seconds) low = middle + 1;
    else high = middle;
  }
  const near = [markers[low - 1], markers[low]].filter((marker) => marker && Math.abs(marker.start - seconds) <= reach);
  near.sort((a, b) => Math.abs(a.start - seconds) - Math.abs(b.start - seconds));
  return near[0] ?? null;
}
