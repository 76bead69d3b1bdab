// Numbers about who talks how much, from the shape of a conversation.

/** Bars that can still be told apart and clicked on. */
const BARS = 48;

/**
 * The length of the buckets in which the talk of a recording is counted: as the API accepts it, and round.
 * @param {number} duration seconds
 */
export function bucketFor(duration) {
  const ROUND = [5, 10, 15, 20, 30, 60, 120, 180, 240, 300, 600, 900, 1200, 1800, 3600];
  return ROUND.find((bucket) => duration / bucket <= BARS) ?? 3600;
}

/** @typedef {{ start: number, speakers: readonly { speakerId: string, talkSeconds: number }[] }} Bucket */
/** @typedef {{ speakerId: string, from: number, to: number }} Part of a bar, from 0 to 1 */

/**
 * The balance over time: a bar for each bucket, in which each speaker has a part.
 * @param {readonly Bucket[]} buckets those in which someone talks
 * @param {readonly string[]} speakers from top to bottom
 * @param {number} bucket seconds
 * @param {number} duration seconds
 * @returns {{ start: number, end: number, parts: Part[] }[]}
 */
export function balanceOf(buckets, speakers, bucket, duration) {
  const byStart = new Map(buckets.map((one) => [one.start, one]));
  return Array.from({ length: Math.ceil(duration / bucket) }, (_, index) => {
    const start = index * bucket;
    const talk = new Map(byStart.get(start)?.speakers.map((own) => [own.speakerId, own.talkSeconds]));
    const total = [...talk.values()].reduce((sum, seconds) => sum + seconds, 0);
    let from = 0;
    const parts = speakers.flatMap((speakerId) => {
      const share = total > 0 ? (talk.get(speakerId) ?? 0) / total : 0;
      if (share === 0) return [];
      const part = { speakerId, from, to: from + share };
      from = part.to;
      return [part];
    });
    return { start, end: Math.min(start + bucket, duration), parts };
  });
}

/**
 * An insight about a speaker, by its name.
 * @template {{ name: string }} T
 * @param {{ insights: readonly T[] }} speaker
 * @param {string} name
 * @returns {T | undefined}
 */
export const insightOf = (speaker, name) => speaker.insights.find((insight) => insight.name === name);
