// Asks Lighthouse about pages of the console, signed in, as a phone and as a desktop computer see them.
import { launch } from "chrome-launcher";
import lighthouse, { desktopConfig } from "lighthouse";

const LEAST = 95;
/** Times differ from run to run: their median counts. */
const RUNS = 3;

const { AFTERCALL_API: base, AFTERCALL_KEY: key, AFTERCALL_JOB: job, CHROMIUM = "/usr/bin/chromium" } = process.env;
const named = process.argv.slice(2);
const categories = named.length > 0 ? named : ["performance", "accessibility"];
const isTimed = categories.includes("performance");

const signedIn = await fetch(`${base}/console/session`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ key }),
});
if (!signedIn.ok) throw new Error(`signing in: ${signedIn.status} ${await signedIn.text()}`);
const extraHeaders = { Cookie: signedIn.headers.getSetCookie()[0].split(";")[0] };

/** In a browser that has seen nothing before. @param {string} path @param {string} screen */
async function ask(path, screen) {
  const chromeFlags = ["--headless=new", "--no-sandbox", "--disable-gpu"];
  const chrome = await launch({ chromePath: CHROMIUM, chromeFlags });
  try {
    const flags = {
      port: chrome.port,
      onlyCategories: categories,
      extraHeaders,
      logLevel: /** @type {const} */ ("error"),
    };
    const result = await lighthouse(`${base}${path}`, flags, screen === "desktop" ? desktopConfig : undefined);
    if (!result || result.lhr.runtimeError) throw new Error(`${path}: ${result?.lhr.runtimeError?.message}`);
    // Otherwise it would be the page to sign in.
    if (!result.lhr.finalDisplayedUrl.endsWith(path)) throw new Error(`shown was ${result.lhr.finalDisplayedUrl}`);
    return result.lhr;
  } finally {
    chrome.kill();
  }
}

const median = (/** @type {any[]} */ values, /** @type {(value: any) => number} */ by) =>
  values.toSorted((one, other) => by(one) - by(other))[Math.floor(values.length / 2)];

/** What costs points, and what the browser measured. @param {any} report @param {string} category */
function reasons({ audits, categories }, category) {
  const refs = categories[category].auditRefs.filter(
    (/** @type {any} */ { id, weight }) => weight > 0 && audits[id].score !== null,
  );
  const costly = refs.filter((/** @type {any} */ { id }) => audits[id].score < 1);
  return costly.map((/** @type {any} */ { id }) => {
    const { title, displayValue, details } = audits[id];
    const nodes = (details?.items ?? []).map((/** @type {any} */ { node }) => node?.snippet).filter(Boolean);
    return `    ${title} ${displayValue ?? ""} ${nodes.slice(0, 3).join(" ")}`;
  });
}

let isGood = true;
for (const path of ["/console/jobs", `/console/jobs/${job}`]) {
  for (const screen of ["phone", "desktop"]) {
    const reports = [];
    for (let i = 0; i < (isTimed ? RUNS : 1); i++) reports.push(await ask(path, screen));
    for (const category of categories) {
      const scoreOf = (/** @type {any} */ report) => Math.round(report.categories[category].score * 100);
      const report = median(reports, scoreOf);
      const score = scoreOf(report);
      console.log(`${path} on a ${screen}: ${category} ${score}`);
      for (const reason of reasons(report, category)) console.log(reason);
      isGood &&= score >= LEAST;
    }
  }
}
if (!isGood) {
  console.error(`a score is below ${LEAST}`);
  process.exitCode = 1;
}
