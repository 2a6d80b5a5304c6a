// Evidence is accepted exactly when it shows something.

import assert from "node:assert/strict";
import { test } from "node:test";

import { read } from "../../nginx/static/certificate.js";
import { check, checkAnybodys } from "../../nginx/static/check.js";
import { EXACT_BELOW, Rejected, isFactor, isSmallPrime, isWitness, prove } from "../../nginx/static/verify.js";

// Arnault's (1995): 397 digits, composite, and a strong pseudoprime to all prime bases below 307.
const HALF = BigInt(
  "29674495668685510550154174642905332730771991799853043350995075531276838753171770199594238596428121188033664754218345562493168782883",
);
const ARNAULT = HALF * (313n * (HALF - 1n) + 1n) * (353n * (HALF - 1n) + 1n);

test("a factor is a divisor that is neither 1 nor the number", () => {
  assert.deepEqual([0n, 1n, 7n, 13n, 91n, 182n, -7n, 5n].map((factor) => isFactor(91n, factor)), [false, false, true, true, false, false, false, false]);
});

test("a witness fails the strong test, which no prime does to any base", () => {
  assert.ok(isWitness(91n, 2n));
  assert.ok(isWitness(561n, 2n)); // a Carmichael number
  assert.ok(!isWitness(2047n, 2n)); // the least strong pseudoprime to 2
  assert.ok(isWitness(2047n, 3n));
  assert.ok(!isWitness(4n, 3n)); // even numbers need no witness
  for (const prime of [3n, 97n, 2n ** 127n - 1n]) for (let base = 0n; base < 60n; base += 1n) assert.ok(!isWitness(prime, base), `${prime} ${base}`);
});

test("Arnault's number has witnesses only above 306", () => {
  assert.ok([2n, 3n, 293n, 305n].every((base) => !isWitness(ARNAULT, base)));
  assert.ok(isWitness(ARNAULT, 307n));
});

test("small numbers are decided", () => {
  const sieved = [];
  for (let n = 2; n < 2_000; n += 1) if (sieved.every((p) => n % p)) sieved.push(n);
  assert.deepEqual(Array.from({ length: 2_000 }, (_, n) => n).filter((n) => isSmallPrime(BigInt(n))), sieved);
  assert.ok(!isSmallPrime(318_665_857_834_031_151_167_461n)); // the least strong pseudoprime to the first 12 primes
  assert.ok(isSmallPrime(2n ** 61n - 1n));
  assert.ok(!isSmallPrime(-7n));
  assert.throws(() => isSmallPrime(EXACT_BELOW), RangeError);
});

// A proof of 10^30 + 57 by one step, and one of 10^40 + 121 by the factors of 10^40 + 120.
const CHAIN = `[PRIMO - Primality Certificate]
Format=4
TestCount=1

[Candidate]
N=0xC9F2C9CD04674EDEA40000039

[1]
S=0x17540E5A8F0
W=0x6E59C0AC918EA
A=0x0
B=0x1
T=0x68E100A50B85497A9BA510638
`;
const FACTORS = "[10000000000000000000000000000000000000121, [2, 5, 11, 17, 12973, 1821309023]]";

test("a certificate proves its own number and no other", () => {
  assert.equal(prove(read(CHAIN)), 1);
  assert.equal(check({ number: "10^30+57", verdict: "prime" }, CHAIN).outcome, "shown");
  assert.equal(check({ number: "10^30+59", verdict: "prime" }, CHAIN).outcome, "refuted");
  assert.equal(check({ number: "10^40+121", verdict: "prime" }, FACTORS).outcome, "shown");
  assert.equal(check({ number: "97", verdict: "prime" }, "97").outcome, "shown");
});

test("a certificate that is changed anywhere proves nothing", () => {
  for (const name of ["N", "S", "W", "T"]) {
    const changed = CHAIN.replace(new RegExp(`^${name}=0x(.*)$`, "m"), (_, digits) => `${name}=0x${(BigInt(`0x${digits}`) + 1n).toString(16)}`);
    assert.notEqual(changed, CHAIN);
    if (name === "T") continue; // the abscissa of another point, which may do as well
    assert.throws(() => prove(read(changed)), Rejected, name);
  }
  assert.throws(() => prove(read(FACTORS.replace("17", "19"))), { name: "Rejected", message: /step 1 .*: 19 is no factor of n - 1/ });
  assert.throws(() => prove(read(FACTORS.replace(", 1821309023", ""))), /too few/);
  assert.throws(() => read(CHAIN.replace("TestCount=1", "TestCount=2")), { name: "Malformed", message: /end of the text: expected \[2\]/ });
  assert.equal(check({ number: "10^30+57", verdict: "prime" }, CHAIN.slice(0, -4)).outcome, "refuted");
});

test("what a certificate needs above is told step by step", () => {
  const notes = [];
  prove(read(CHAIN), (done, steps) => notes.push([done, steps]));
  assert.deepEqual(notes, [[1, 1]]);
});

test("a certificate of anybody's is told with its number, and with the step that fails", () => {
  assert.deepEqual(checkAnybodys(FACTORS), { number: String(10n ** 40n + 121n), outcome: "shown", words: "It holds." });
  const changed = checkAnybodys(CHAIN.replace("W=0x6E", "W=0x6F"));
  assert.deepEqual([changed.number, changed.outcome], [String(10n ** 30n + 57n), "refuted"]);
  assert.match(changed.words, /^It does not hold: step 1 \(.*\): s does not divide m = n \+ 1 - t\.$/);
  const none = checkAnybodys("seven");
  assert.deepEqual([none.number, none.outcome], [undefined, "refuted"]);
});

test("a line with many blanks in it is read in a time that grows with its length", () => {
  const began = performance.now();
  assert.throws(() => read(`[PRIMO - Primality Certificate]\nFormat=4\nTestCount=0\n[Comments]\nx${" ".repeat(300_000)}x\n[Candidate]\nN=x`), /line 7/);
  assert.ok(performance.now() - began < 10_000); // a bound that no machine needs: by squares of the length it takes a minute
});
