import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { navigate, startRouter, takeArrival } from "../web/lib/router.js";
import { routeOf } from "../web/lib/routes.js";

/** The parts of a browser's window that the router uses. */
class FakeWindow extends EventTarget {
  entries = ["/console/jobs"];
  at = 0;
  get location() {
    return new URL(this.entries[this.at], "http://localhost");
  }
  history = {
    pushState: (/** @type {any} */ _state, /** @type {string} */ _title, /** @type {string} */ to) => {
      this.entries.splice(++this.at, Number.POSITIVE_INFINITY, to);
    },
    replaceState: (/** @type {any} */ _state, /** @type {string} */ _title, /** @type {string} */ to) => {
      this.entries[this.at] = to;
    },
  };
  back() {
    this.at -= 1;
    this.dispatchEvent(new Event("popstate"));
  }
  scrollTo() {}
}

/** @type {FakeWindow} */
let browser;

beforeEach(() => {
  browser = new FakeWindow();
  Object.assign(globalThis, { window: browser });
  startRouter();
  takeArrival();
});

test("another page is an arrival, once; another query is none", () => {
  navigate("/console/jobs?status=failed");
  assert.equal(takeArrival(), false);
  navigate("/console/search");
  assert.equal(takeArrival(), true);
  assert.equal(takeArrival(), false);
});

test("going back to another page is an arrival", () => {
  navigate("/console/search?q=a");
  navigate("/console/search?q=b");
  takeArrival();
  browser.back();
  assert.equal(takeArrival(), false);
  browser.back();
  assert.equal(takeArrival(), true);
});

test("a replaced entry leaves nothing to go back to", () => {
  navigate("/console/search");
  navigate("/console/search?q=a", { replace: true });
  assert.deepEqual(browser.entries, ["/console/jobs", "/console/search?q=a"]);
});

test("every path has the page that its address says, or none", () => {
  const shown = (/** @type {string} */ path) => {
    const route = routeOf(path);
    return route && [route.name, route.params];
  };
  assert.deepEqual(shown("/console/jobs"), ["Jobs", {}]);
  assert.deepEqual(shown("/console/jobs/"), ["Jobs", {}]);
  assert.deepEqual(shown("/console/jobs/0198"), ["Call", { id: "0198" }]);
  assert.deepEqual(shown("/console/search"), ["Search", {}]);
  assert.deepEqual(shown("/console/conversations"), ["Conversations", {}]);
  assert.deepEqual(shown("/console/endpoints"), ["Endpoints", {}]);
  assert.deepEqual(shown("/console/endpoints/0199"), ["Endpoint", { id: "0199" }]);
  assert.deepEqual(shown("/console/operations"), ["Operations", { part: undefined }]);
  assert.deepEqual(shown("/console/operations/keys"), ["Operations", { part: "keys" }]);
  assert.equal(shown("/console/jobs/0198/more"), null);
  assert.equal(shown("/console/"), null);
  assert.equal(shown("/jobs"), null);
});
