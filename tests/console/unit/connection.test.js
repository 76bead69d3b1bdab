import assert from "node:assert/strict";
import { test } from "node:test";

import { isOnline, networkLost, reaching } from "../web/lib/api.js";

test("a response to what was asked before the network was lost does not say that it is back", () => {
  const [early, asked] = [reaching(), reaching()];
  early();
  assert.equal(isOnline.get(), true);
  networkLost();
  asked();
  assert.equal(isOnline.get(), false);
  reaching()();
  assert.equal(isOnline.get(), true);
});
