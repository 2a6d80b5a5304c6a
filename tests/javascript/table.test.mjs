// The table shows what a server says, whatever that is.

import assert from "node:assert/strict";
import { test } from "node:test";

import { verdictOf } from "../../nginx/static/table.js";

test("a verdict that is none is shown as it came, also one that every object has", () => {
  assert.equal(verdictOf({ verdict: "probably_prime" }), "Probably prime");
  for (const verdict of ["constructor", "__proto__", "toString", "unknown"]) assert.equal(verdictOf({ verdict }), verdict);
});
