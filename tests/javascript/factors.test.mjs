// Factors are told as they are, and read with care.

import assert from "node:assert/strict";
import { test } from "node:test";

import { check } from "../../nginx/static/check.js";
import { Checker } from "../../nginx/static/checker.js";
import { evaluate } from "../../nginx/static/expression.js";
import { describeFactors, readFactors, writeProduct } from "../../nginx/static/factors.js";

const LARGE = 10n ** 39n + 3n; // prime
const one = (factor, multiplicity = 1, verdict = "prime") => ({ factor: String(factor), multiplicity, verdict });
const left = (number) => ({ number: String(number), verdict: "composite", evidence: { witness: "2" } });

test("factors are read with what is left at their end", () => {
  const parts = readFactors({ factors: [one(2, 3)], cofactor: left(91) });
  assert.deepEqual(parts, [
    { number: "2", multiplicity: 3, verdict: "prime", evidence: {} },
    { number: "91", multiplicity: 1, verdict: "composite", evidence: { witness: "2" }, left: true },
  ]);
});

test("what is no list of factors is refused", () => {
  const none = [{}, { factors: "7" }, { factors: [null] }, { factors: [{ factor: 7 }] }, { factors: [one("7 ")] }, { factors: [one(7, 0)] }, { factors: [one(7, 1.5)] }, { factors: [], cofactor: one(7) }];
  for (const factoring of none) assert.throws(() => readFactors(factoring), { name: "NotANumber" }, JSON.stringify(factoring));
});

test("the product is an expression with the number's value, and what is composite stands in brackets", () => {
  const parts = readFactors({ factors: [one(2, 3), one(15, 2, "composite"), one(LARGE, 1, "probably_prime")], cofactor: left(91) });
  assert.equal(writeProduct(parts), `2^3 * (15)^2 * ${LARGE} * (91)`);
  assert.equal(evaluate(writeProduct(parts)), 8n * 225n * LARGE * 91n);
});

test("a sentence says whether the factors are all", () => {
  const told = (...factors) => describeFactors(readFactors({ factors }));
  assert.equal(told(one(2, 2), one(3)), "These are all: each is prime.");
  assert.equal(told(one(2), one(LARGE, 1, "probably_prime")), "These are all, though not each is proven to be prime.");
  const open = "These are not all: the search ended before what is composite here was split.";
  assert.equal(told(one(2), one(91, 2, "composite")), open);
  assert.equal(describeFactors(readFactors({ factors: [one(2)], cofactor: left(91) })), open);
  assert.equal(describeFactors(readFactors({ factors: [], cofactor: left(91) })), "The search ended before it found a factor. There are some, since the number is composite.");
});

test("a check says which part of an answer does not hold", () => {
  const words = (number, factoring) => check({ number, verdict: "composite", evidence: { factor: "7" }, factoring }).words;
  assert.equal(words("91", { factors: [one(7), one(13)] }), "The product of its factors is right, and each is what it is called.");
  assert.equal(words("91", { factors: [one(7), one(11)] }), "The product of its factors is another number.");
  assert.equal(words("91", { factors: [one(91)] }), "Of one of its factors: It fails a strong test, or is below 2.");
  assert.equal(words("91", { factors: 7 }), "What came as its factors is none: Expected a list of factors.");
});

test("factors are checked unasked where tests of the number's size are, whatever shows that it is composite", () => {
  const checker = new Checker();
  const answer = (digits) => ({ number: "9".repeat(digits), verdict: "composite", evidence: { factor: "3" } });
  assert.deepEqual([2_000, 2_001].map((digits) => checker.isQuick(answer(digits))), [true, true]);
  assert.deepEqual([2_000, 2_001].map((digits) => checker.isQuick({ ...answer(digits), factoring: {} })), [true, false]);
});
