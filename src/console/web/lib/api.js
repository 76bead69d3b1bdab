// Requests to the service. The browser sends the session cookie by itself.
import { takeEarly } from "./early.js";
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { withQuery } from "./query.js";
import { createStore } from "./store.js";

/** @typedef {import("./query.js").Params} Params */
/** @typedef {{ headers?: Record<string, string>, signal?: AbortSignal }} Options */
/** @typedef {{ code: string, detail: string, pointer?: string | null, parameter?: string | null }} Fault */

/** False while requests do not reach the service. */
export const isOnline = createStore(true);

/** How often the browser has lost its network. */
let losses = 0;

export function networkLost() {
  losses += 1;
  isOnline.set(false);
}

/**
 * Called before a request; what it returns is called when there is a response. A response to what was asked before the network
 * was lost says nothing about now.
 */
export function reaching() {
  const before = losses;
  return () => {
    if (losses === before) isOnline.set(true);
  };
}

/** True once the service has rejected the session cookie; the shell then asks to sign in again. */
export const isSessionOver = createStore(false);

/** Why a request failed: the problem that the service sent, or that there was no response. */
export class Problem extends Error {
  /**
   * @param {{ status?: number, code?: string, title?: string, detail?: string | null, errors?: Fault[],
   *   requestId?: string | null }} body
   * @param {{ retryAfter?: number, isOffline?: boolean }} [more]
   */
  constructor(body, { retryAfter, isOffline = false } = {}) {
    super(body.detail ?? body.title ?? "");
    this.name = "Problem";
    this.status = body.status ?? 0;
    this.code = body.code ?? "";
    this.title = body.title ?? "";
    this.detail = body.detail ?? "";
    this.errors = body.errors ?? [];
    this.requestId = body.requestId ?? "";
    /** Seconds, if the service named them. */
    this.retryAfter = retryAfter;
    /** Whether the service was not reached at all. */
    this.isOffline = isOffline;
  }
}

/** @param {string} path @param {Params} [params] @param {Options} [options] @returns {Promise<any>} */
export const get = (path, params, options) => request("GET", path, undefined, params, options);
/** @param {string} path @param {any} [body] @param {Params} [params] @param {Options} [options] @returns {Promise<any>} */
export const post = (path, body, params, options) => request("POST", path, body, params, options);
/** @param {string} path @param {any} [body] @param {Params} [params] @param {Options} [options] @returns {Promise<any>} */
export const put = (path, body, params, options) => request("PUT", path, body, params, options);
/** @param {string} path @param {any} [body] @param {Params} [params] @param {Options} [options] @returns {Promise<any>} */
export const patch = (path, body, params, options) => request("PATCH", path, body, params, options);
/** @param {string} path @param {Params} [params] @param {Options} [options] @returns {Promise<any>} */
export const del = (path, params, options) => request("DELETE", path, undefined, params, options);

/**
 * Resolves with the parsed JSON, or with the text of other types; undefined if the response has no body.
 * @param {string} method
 * @param {string} path
 * @param {any} body a file is sent as it is, everything else as JSON
 * @param {Params} [params]
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
async function request(method, path, body, params, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...options.headers };
  // The service accepts changes only with this header, which no other site's form can send.
  if (method !== "GET") headers["Aftercall-Console"] = "1";
  const isFile = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] ??= (isFile && body.type) || "application/json";
  const content = body === undefined || isFile ? body : JSON.stringify(body);
  const response = await reach(withQuery(path, params), { method, headers, body: content, signal: options.signal });
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return undefined;
  return isJson(response) ? response.json() : response.text();
}

/**
 * The response itself, for a body of which only the beginning is read.
 * @param {string} path
 * @returns {Promise<Response>}
 */
export async function open(path) {
  const response = await reach(path, {});
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** @param {string} url @param {RequestInit} init */
async function reach(url, init) {
  const reached = reaching();
  try {
    const response = await (takeEarly(init.method, url) ?? fetch(url, init));
    reached();
    return response;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    isOnline.set(false);
    const title = "The service cannot be reached";
    throw new Problem({ code: "offline", title }, { isOffline: true });
  }
}

/** @param {Response} response */
async function problemOf(response) {
  if (response.status === 401) isSessionOver.set(true);
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  const fallback = { status: response.status, title: response.statusText || `Status ${response.status}` };
  if (!isJson(response)) return new Problem(fallback, { retryAfter });
  const body = await response.json().catch(() => fallback);
  return new Problem({ ...fallback, ...body }, { retryAfter });
}

/** Finds out whether the service is reached and the session holds; `isOnline` and `isSessionOver` tell. */
export async function checkConnection() {
  await get("/console/session").catch(() => undefined);
}

/** @param {Response} response */
const isJson = (response) => /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");

/**
 * What the path has, followed as path and parameters change. While parameters change, `data` stays what it was.
 * @param {string | null} path null asks for nothing
 * @param {Params} [params]
 * @returns {{ data: any, error: Problem | undefined, isLoading: boolean, reload: () => Promise<void> }}
 */
export function useGet(path, params) {
  const url = path === null ? null : withQuery(path, params);
  const [state, setState] = useState(
    /** @type {{ path: string | null, url: string | null, data?: any, error?: Problem }} */ ({ path: null, url: null }),
  );
  const running = useRef(/** @type {AbortController | null} */ (null));
  const reload = useCallback(async () => {
    running.current?.abort();
    if (url === null) return;
    const controller = new AbortController();
    running.current = controller;
    try {
      const data = await get(url, undefined, { signal: controller.signal });
      if (!controller.signal.aborted) setState({ path, url, data });
    } catch (error) {
      if (controller.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      setState((last) => ({ path, url, error, data: last.path === path ? last.data : undefined }));
    }
  }, [path, url]);
  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);
  const isLost = state.error?.isOffline === true;
  useEffect(() => {
    if (!isLost) return;
    return isOnline.subscribe(() => {
      if (isOnline.get()) reload();
    });
  }, [isLost, reload]);
  return {
    data: state.path === path ? state.data : undefined,
    error: state.url === url ? state.error : undefined,
    isLoading: state.url !== url,
    reload,
  };
}

const EVENTS = [
  "queued",
  "submitting",
  "submitted",
  "requeued",
  "unconfirmed",
  "abandoned",
  "delivery",
  "completed",
  "failed",
  "timed_out",
  "canceled",
  "replayed",
  "reparsed",
  "speakers_named",
  "result_expired",
];

/** Milliseconds until a stream that the service refused is tried again. */
const RECONNECT_AFTER = 5000;

/**
 * Follows a stream of events. The browser resumes after interruptions, so that none is missed. Where it cannot, because
 * the tab was hidden (a hidden tab holds no connection) or the service refused to resume, `missed` says to load again.
 * @param {string} path
 * @param {{ event: (data: any) => void, missed?: () => void }} handlers
 * @returns {() => void} ends it
 */
export function follow(path, handlers) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let hasFollowed = false;

  function start() {
    clearTimeout(timer);
    if (source || document.hidden) return;
    const opened = new EventSource(path);
    source = opened;
    opened.onopen = reaching();
    for (const kind of EVENTS) {
      opened.addEventListener(kind, (event) => handlers.event(JSON.parse(event.data)));
    }
    opened.addEventListener("bye", (event) => {
      if (JSON.parse(event.data || "{}").because === "unauthorized") isSessionOver.set(true);
    });
    opened.onerror = () => {
      if (source !== opened) return;
      checkConnection();
      if (opened.readyState !== EventSource.CLOSED) return;
      source = null;
      timer = setTimeout(start, RECONNECT_AFTER);
    };
    if (hasFollowed) handlers.missed?.();
    hasFollowed = true;
  }

  function end() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  const onVisibility = () => (document.hidden ? end() : start());
  document.addEventListener("visibilitychange", onVisibility);
  start();
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    end();
  };
}
