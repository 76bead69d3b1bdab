// The body of a delivery: bytes from the internet, shown as text.

/** Bytes of a body that are shown; more would only slow the page down. */
export const MOST_SHOWN = 64 * 1024;

const DECODED = ["gzip", "deflate"];

/**
 * The beginning of a body.
 * @param {ReadableStream<Uint8Array>} stream the body as received
 * @param {string} encoding its `Content-Encoding`
 * @param {number} [most] bytes
 * @returns {Promise<{text: string, isWhole: boolean, note: string}>}
 */
export async function beginning(stream, encoding, most = MOST_SHOWN) {
  const name = encoding.trim().toLowerCase();
  const isDecoded = DECODED.includes(name);
  const format = /** @type {CompressionFormat} */ (name);
  const readable = isDecoded ? stream.pipeThrough(/** @type {any} */ (new DecompressionStream(format))) : stream;
  const { bytes, isWhole, isBroken } = await first(readable, most, isDecoded);
  const notes = [
    isDecoded && `Sent as ${name}, shown decompressed.`,
    name && !isDecoded && `Sent as ${name}, which is shown as it was received.`,
    isBroken && "It cannot be decompressed any further.",
  ];
  // A character that the limit cuts in two is left out.
  const text = new TextDecoder().decode(bytes, { stream: !isWhole });
  return { text, isWhole, note: notes.filter(Boolean).join(" ") };
}

/** @param {ReadableStream<Uint8Array>} stream @param {number} most @param {boolean} isDecoded */
async function first(stream, most, isDecoded) {
  const reader = stream.getReader();
  const parts = [];
  let size = 0;
  let isWhole = false;
  let isBroken = false;
  while (size < most && !isWhole) {
    try {
      const { done, value } = await reader.read();
      if (value) parts.push(value);
      size += value?.length ?? 0;
      isWhole = done;
    } catch (error) {
      // What came before a fault of compressed data is worth showing.
      if (!isDecoded) throw error;
      isWhole = true;
      isBroken = true;
    }
  }
  if (!isWhole) {
    const { done } = await reader.read().catch(() => ({ done: false }));
    isWhole = done;
    await reader.cancel();
  }
  const bytes = new Uint8Array(Math.min(size, most));
  let at = 0;
  for (const part of parts) {
    const kept = part.subarray(0, bytes.length - at);
    bytes.set(kept, at);
    at += kept.length;
  }
  return { bytes, isWhole: isWhole && size <= most, isBroken };
}

/**
 * Control characters, and those that are invisible or change the direction of the text, and so could make it look like
 * another one. Joiners stay: letters and emoji need them.
 */
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The text with what is hidden in it visible. @param {string} text */
export function visible(text) {
  return text.replace(HIDDEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/** The JSON with line breaks, or null if it is none. @param {string} text */
export function formatted(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}
