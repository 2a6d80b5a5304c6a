// What is too large is refused before it is computed; tests/conformance has what is read.

import assert from "node:assert/strict";
import { test } from "node:test";

import { evaluate } from "../../nginx/static/expression.js";

const FUNCTIONS = ["fib(300000)", "luc(10^18)", "100000!2", "(10^15)!1000", "binomial(10^9,10^7)", "binomial(10^30,10^29)", "Phi(999983,2)", "Phi(3,10^30000)"];

test("what is too large is refused before it is computed", () => {
  for (const text of ["1".repeat(47_000), `0x${"f".repeat(40_000)}`, "10^50000", "10^9!", "200000#", ...FUNCTIONS]) {
    assert.throws(() => evaluate(text), { name: "NotANumber", message: /^Expected (at most|an operand)/ }, text.slice(0, 20));
  }
});
