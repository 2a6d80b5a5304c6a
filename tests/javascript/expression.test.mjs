// The page means by a text what the server does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { evaluate } from "../../nginx/static/expression.js";

test("integers are read as Python's int() reads them", () => {
  for (const [text, value] of [["7", 7n], ["+7", 7n], [" 7 ", 7n], ["007", 7n], ["1_000", 1_000n], ["-12", -12n], ["٧", 7n], ["𝟙𝟚", 12n]]) {
    assert.equal(evaluate(text), value, text);
  }
});

test("expressions have the values that docs/protocol.md tells", () => {
  const values = {
    "2^127-1": 2n ** 127n - 1n,
    "10^100+267": 10n ** 100n + 267n,
    "2**10": 1024n,
    "2^3^2": 512n,
    "-2^2": -4n,
    "(-2)^2": 4n,
    "2*-3": -6n,
    "0x1f": 31n,
    "(10^19-1)/9": 1_111_111_111_111_111_111n,
    "5!": 120n,
    "20!+1": 2_432_902_008_176_640_001n,
    "31#-1": 200_560_490_129n,
    "0!": 1n,
    "1#": 1n,
    "3!!": 720n,
    "0^0": 1n,
    " 7 - 4 - 2 ": 1n,
  };
  for (const [text, value] of Object.entries(values)) assert.equal(evaluate(text), value, text);
});

test("what is none is refused, and what is too large before it is computed", () => {
  for (const text of ["", "seven", "7.0", "1e3", "7 7", "1__0", "(7", "7)", "2^-1", "7/2", "7/0", "(-3)!", "9^9^9", "10^100000", "99999999#", "99999999!", "-".repeat(99) + "1"]) {
    assert.throws(() => evaluate(text), { name: "NotANumber" }, text);
  }
});
