// What surrounds every page: navigation, who is signed in, and what concerns all pages.
import { checkConnection, get, isOnline, isSessionOver, networkLost, patch } from "../lib/api.js";
import { html, useEffect, useErrorBoundary, useState } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { Link, navigate, usePath } from "../lib/router.js";
import { routeOf } from "../lib/routes.js";
import { SessionContext } from "../lib/session.js";
import { useStore } from "../lib/store.js";
import { Account } from "./account.js";
import { Confirmation } from "./confirm.js";
import { Icon, Logo } from "./icon.js";
import { KeyHelp } from "./key-help.js";
import { Page } from "./page.js";
import { Empty, Failure, Loaded, Loading } from "./states.js";
import { Toasts } from "./toast.js";

/** @typedef {import("../lib/session.js").Session} Session */

const HOME = "/console/jobs";
const SIGN_IN = "/console/sign-in";

/** Milliseconds between attempts to reach the service again. */
const TRY_AGAIN_AFTER = 3000;

export function Shell() {
  const [session, setSession] = useState(/** @type {Session | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const isOver = useStore(isSessionOver);
  const online = useStore(isOnline);
  const path = usePath();

  async function load() {
    try {
      const loaded = await get("/console/session");
      setError(null);
      setSession((last) => (JSON.stringify(last) === JSON.stringify(loaded) ? last : loaded));
    } catch (problem) {
      setError(problem);
    }
  }
  useEffect(() => {
    // Who opens the page to sign in has no session yet.
    if (path === SIGN_IN) isSessionOver.set(true);
    else load();
  }, []);
  useEffect(() => {
    if (!session) return;
    // In another tab, the reader may have signed out, or looked at another caller.
    const onVisible = () => !document.hidden && load();
    document.addEventListener("visibilitychange", onVisible);
    return () => document.removeEventListener("visibilitychange", onVisible);
  }, [session === null]);
  useEffect(() => {
    if (online) {
      if (error?.isOffline) load();
      return;
    }
    const timer = setInterval(checkConnection, TRY_AGAIN_AFTER);
    return () => clearInterval(timer);
  }, [online]);
  useEffect(() => {
    // A request that was made at once could still arrive.
    window.addEventListener("offline", networkLost);
    window.addEventListener("online", checkConnection);
    return () => {
      window.removeEventListener("offline", networkLost);
      window.removeEventListener("online", checkConnection);
    };
  }, []);

  /** @param {Session} signedIn */
  function onSignedIn(signedIn) {
    isSessionOver.set(false);
    setError(null);
    setSession(signedIn);
    const now = window.location.pathname;
    if (now === SIGN_IN || !routeOf(now)) navigate(homeOf(signedIn), { replace: true });
  }

  const isHome = path.replace(/\/+$/, "") === "/console";
  useEffect(() => {
    if (session && !isOver && (isHome || path === SIGN_IN)) navigate(homeOf(session), { replace: true });
  }, [session, isOver, isHome, path]);

  let content;
  if (isOver) {
    const props = { hasEnded: session !== null, onSignedIn };
    content = html`<${Loaded} load=${() => import("../pages/sign-in.js")} name="SignIn" props=${props} />`;
  } else if (session) {
    content = html`<${SessionContext.Provider} value=${session}>
      <${Frame} path=${path} session=${session} setSession=${setSession} />
    <//>`;
  } else if (error) {
    content = html`<main class="alone"><${Failure} error=${error} retry=${load} /></main>`;
  } else {
    // As index.html shows it before.
    content = html`<div class="frame">
      <header class="side"><span class="brand"><${Logo} />Aftercall</span></header>
      <div class="main-column"><main><${Loading} /></main></div>
    </div>`;
  }
  return html`${content}<${Toasts} /><${Confirmation} />`;
}

/** @param {{ path: string, session: Session, setSession: (session: Session | null) => void }} props */
function Frame({ path, session, setSession }) {
  const [isHelpOpen, setHelpOpen] = useState(false);
  const places = placesOf(session);
  useKeys([
    { key: "?", what: "show the keys", group: "Everywhere", run: () => setHelpOpen(true) },
    ...places.map(({ key, title, href }) => ({
      key,
      what: `go to ${title.toLowerCase()}`,
      group: "Everywhere",
      run: () => navigate(href),
    })),
  ]);

  /** @param {string} caller */
  async function lookAt(caller) {
    // What is open belongs to the caller before, and must not be asked for as the next one.
    if (routeOf(path)?.params.id) navigate(path.replace(/\/[^/]+\/*$/, ""));
    setSession(await patch("/console/session", { caller }));
  }

  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
    <div class="frame">
      <header class="side">
        <${Link} class="brand" href=${HOME}><${Logo} />Aftercall${session.environment === "dev" && html`<span class="count">dev</span>`}<//>
        <nav aria-label="Pages">
          ${places.map(
            ({ title, href, icon }) => html`<${Link}
              key=${href}
              class="place"
              href=${href}
              aria-current=${path === href ? "page" : path.startsWith(`${href}/`) ? "true" : undefined}
            >
              <${Icon} name=${icon} />${title}
            <//>`,
          )}
        </nav>
        <${Account} session=${session} onCaller=${lookAt} onHelp=${() => setHelpOpen(true)} />
      </header>
      <div class="main-column">
        <${Banners} session=${session} onBack=${() => lookAt(session.ownCaller)} />
        <main id="main" tabindex="-1"><${Content} key=${`${session.caller} ${path}`} path=${path} /></main>
      </div>
    </div>
    ${isHelpOpen && html`<${KeyHelp} onClose=${() => setHelpOpen(false)} />`}`;
}

/** To the page, without a change of the address. @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** @param {Session} session */
function placesOf(session) {
  return [
    { title: "Jobs", href: HOME, icon: "jobs", key: "g j", scope: "jobs:read" },
    { title: "Search", href: "/console/search", icon: "search", key: "g s", scope: "search:read" },
    { title: "Conversations", href: "/console/conversations", icon: "conversations", key: "g c", scope: "stats:read" },
    { title: "Endpoints", href: "/console/endpoints", icon: "bell", key: "g e", scope: "notify:write" },
    { title: "Operations", href: "/console/operations", icon: "operations", key: "g o", scope: "admin:read" },
  ].filter(({ scope }) => session.scopes.includes(scope));
}

/** The first page that the key may see. @param {Session} session */
const homeOf = (session) => placesOf(session)[0]?.href ?? HOME;

/** The page of the path, loaded when it is shown for the first time. @param {{ path: string }} props */
function Content({ path }) {
  const [crash] = useErrorBoundary((error) => console.error(error));
  const route = routeOf(path);
  if (!route) {
    return html`<${Page} title="Page not found">
      <${Empty} title="There is no page here.">
        <p>Check the address, or go to <${Link} href=${HOME}>the jobs<//>.</p>
      <//>
    <//>`;
  }
  if (crash) return html`<${Failure} error=${crash} retry=${() => window.location.reload()} />`;
  return html`<${Loaded} load=${route.load} name=${route.name} props=${route.params} />`;
}

/** @param {{ session: Session, onBack: () => Promise<void> }} props */
function Banners({ session, onBack }) {
  const online = useStore(isOnline);
  return html`<div role="status">
    ${!online && html`<p class="banner warn"><${Icon} name="offline" />The service cannot be reached. What you see may be old; it is tried again every few seconds.</p>`}
    ${session.readOnly && html`<p class="banner"><${Icon} name="key" />Read-only: this console shows everything and changes nothing.</p>`}
    ${
      session.caller !== session.ownCaller &&
      html`<p class="banner accent">
      <${Icon} name="person" /><span>You see what <strong>${session.caller}</strong> sees.</span>
      <button type="button" class="button small" onClick=${onBack}>Back to ${session.ownCaller}</button>
    </p>`
    }
  </div>`;
}
