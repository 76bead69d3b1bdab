// Uploads of recordings. `fetch` does not tell how much was sent, XMLHttpRequest does.
import { isOnline, isSessionOver, Problem, reaching } from "../../lib/api.js";

/** @typedef {Api["MediaView"]} Media */

/**
 * @param {Blob} file
 * @param {(share: number) => void} onProgress from 0 to 1
 * @param {AbortSignal} signal
 * @returns {Promise<Media>}
 */
export const upload = (file, onProgress, signal) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/media");
    request.setRequestHeader("Aftercall-Console", "1");
    request.setRequestHeader("Accept", "application/json");
    // The service recognizes the format from the bytes; it only needs to hear that this is no form.
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    const reached = reaching();
    request.onload = () => {
      reached();
      if (request.status === 401) isSessionOver.set(true);
      if (request.status < 300) resolve(request.response);
      else reject(new Problem({ status: request.status, title: request.statusText, ...request.response }));
    };
    request.onerror = () => {
      isOnline.set(false);
      const detail = "The connection broke off before the recording had arrived. Nothing was stored.";
      reject(new Problem({ code: "offline", title: "The service cannot be reached", detail }, { isOffline: true }));
    };
    request.onabort = () => reject(new DOMException("The upload was canceled.", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
