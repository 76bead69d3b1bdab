// Names and colors of speakers.

/** Colors that `style/base.css` has. */
const COLORS = 8;

/** @typedef {{ speakerId: string, speaker?: string | null, talkPercent?: number | null }} Speaker */

/** The place of each speaker among all, which decides the color. */
export class Cast {
  /** @param {readonly Speaker[]} speakers */
  constructor(speakers) {
    this.ids = speakers.map(({ speakerId }) => speakerId);
    this.places = new Map(this.ids.map((id, place) => [id, place]));
    this.names = new Map(speakers.map(({ speakerId, speaker }) => [speakerId, speaker || `Speaker ${speakerId}`]));
  }

  /** As transcripts call them. @param {string | null | undefined} id */
  nameOf(id) {
    if (id === null || id === undefined) return "Unknown speaker";
    return this.names.get(id) ?? `Speaker ${id}`;
  }

  /** The custom property of the color; none for utterances without a speaker. @param {string | null | undefined} id */
  colorOf(id) {
    const place = this.places.get(id ?? "");
    return place === undefined ? "--muted" : `--speaker-${place % COLORS}`;
  }

  /**
   * The names to store, after one has changed. An empty name takes it away.
   * @param {string} id
   * @param {string} name
   * @param {readonly Speaker[]} speakers
   * @returns {Record<string, string>}
   */
  static renamed(id, name, speakers) {
    const names = speakers.map(({ speakerId, speaker }) => [
      speakerId,
      speakerId === id ? name.trim() : (speaker ?? ""),
    ]);
    return Object.fromEntries(names.filter(([, name]) => name !== ""));
  }
}
