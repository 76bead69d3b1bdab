import assert from "node:assert/strict";
import { test } from "node:test";

import { lacks, may } from "../web/lib/session.js";

/** @type {import("../web/lib/session.js").Session} */
const SESSION = {
  caller: "app",
  ownCaller: "app",
  keyName: "laptop",
  scopes: ["jobs:read", "jobs:write"],
  expiresAt: "2026-05-01T21:30:00Z",
  readOnly: false,
  environment: "dev",
  version: "0.1.0",
};

test("a key may what its scopes say", () => {
  assert.equal(may(SESSION, "jobs:write"), true);
  assert.equal(lacks(SESSION, "admin:read"), "admin:read");
});

test("a read-only console changes nothing, and shows everything", () => {
  assert.equal(may({ ...SESSION, readOnly: true }, "jobs:write"), false);
  assert.equal(may({ ...SESSION, readOnly: true }, "jobs:read"), true);
});

test("a change to the data of another caller takes admin:write as well", () => {
  const looking = { ...SESSION, caller: "crm" };
  assert.equal(may(looking, "jobs:read"), true);
  assert.equal(lacks(looking, "jobs:write"), "admin:write");
  assert.equal(may({ ...looking, scopes: [...SESSION.scopes, "admin:write"] }, "jobs:write"), true);
});
