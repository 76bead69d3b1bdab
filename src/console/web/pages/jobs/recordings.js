// What a new job is made of: recordings from files and URLs, and the options for them.

/** @typedef {import("./upload.js").Media} Media */
/** @typedef {Api["SubmitJob"]} SubmitJob */

/**
 * @typedef {object} Options
 * @property {string} tags Separated by commas.
 * @property {string} audioType
 * @property {string} languageCode
 * @property {"automatic" | "channels" | "voices"} speakers
 * @property {boolean} hasWordTimings
 * @property {boolean} isAgain Also if a job of the same recording exists.
 */

/** @typedef {{externalId: string, url?: string, encoding?: string, media?: Media}} Recording */

/** @type {Record<string, string>} */
const ENCODINGS = {
  mp3: "Mpeg",
  mpga: "Mpeg",
  mpeg: "Mpeg",
  mp4: "Mp4",
  m4a: "Mp4",
  wav: "Wav",
  webm: "Webm",
  weba: "Webm",
  aac: "Aac",
  avi: "Avi",
  ogg: "Ogg",
  oga: "Ogg",
};

/** The encodings that the service accepts, most used first. */
export const ALL_ENCODINGS = ["Wav", "Mpeg", "Mp4", "Ogg", "Webm", "Aac", "Avi", "Webp"];

/** What a recording at this URL is probably encoded as. @param {string} url */
export function likelyEncoding(url) {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  return ENCODINGS[path.split(".").pop()?.toLowerCase() ?? ""] ?? "Wav";
}

/** A name for a recording: that of its file, without the ending. @param {string} pathOrUrl */
export function likelyName(pathOrUrl) {
  const path = URL.canParse(pathOrUrl) ? decoded(new URL(pathOrUrl).pathname) : pathOrUrl;
  const file = path.split("/").pop() ?? "";
  return file.replace(/(.)\.[^.]*$/, "$1").slice(0, 200);
}

/** @param {string} path */
function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/**
 * The body of the request; what is not chosen is left to the service.
 * @param {Recording} recording
 * @param {Options} options
 * @returns {Partial<SubmitJob>}
 */
export function toRequest({ externalId, url, encoding, media }, options) {
  // The service knows the encoding of what was uploaded.
  const source = media ? { media: media.id } : { contentUri: url, encoding };
  const tags = options.tags
    .split(",")
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");
  const isPerChannel = options.speakers === "channels" || (options.speakers === "automatic" && media?.channels === 2);
  const body = {
    ...source,
    externalId: externalId.trim() || undefined,
    tags: tags.length > 0 ? [...new Set(tags)] : undefined,
    audioType: options.audioType || undefined,
    languageCode: options.languageCode.trim() || undefined,
    separateSpeakerPerChannel: isPerChannel || undefined,
    enableSpeakerDiarization: options.speakers === "voices" || undefined,
    enableWordTimings: options.hasWordTimings || undefined,
    dedupe: options.isAgain ? undefined : media ? "media" : "contentUri",
  };
  return /** @type {Partial<SubmitJob>} */ (body);
}
