// What is too large is refused before it is computed; tests/conformance has what is read.

import assert from "node:assert/strict";
import { test } from "node:test";

import { evaluate } from "../../nginx/static/expression.js";

test("what is too large is refused before it is computed", () => {
  for (const text of ["1".repeat(47_000), `0x${"f".repeat(40_000)}`, "10^50000", "10^9!", "200000#"]) {
    assert.throws(() => evaluate(text), { name: "NotANumber", message: /^Expected (at most|an operand)/ }, text.slice(0, 20));
  }
});
