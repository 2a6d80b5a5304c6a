// What an answer's evidence shows of its number, found without the server's help.

import { read } from "./certificate.js";
import { evaluate } from "./expression.js";
import { EXACT_BELOW, failsStrongTest, isFactor, isSmallPrime, isWitness, prove } from "./verify.js";

const TESTS = 4; // of a probable prime; a composite number passes one to a base drawn at random with a chance below 1/4
const BASE_BYTES = 8;

/**
 * Check {number, verdict, evidence} against the number that was asked about, an integer or an expression, in a text. `certificate` is the text
 * of the one that the evidence names, if it names one; `note` hears how many of its steps hold.
 *
 * Returns {outcome, words}. Outcomes: "shown": the verdict is certain, whoever sent it; "agreed": nothing is proven, and nothing
 * contradicts it; "refuted": the evidence does not show it, so that its sender is not to be trusted.
 */
export function check({ number, verdict, evidence = {} }, certificate, note) {
  let n;
  try {
    n = evaluate(number);
  } catch (error) {
    return agreed(`The number cannot be computed here: ${error.message}.`);
  }
  if (verdict === "composite") return checkComposite(n, evidence);
  if (verdict === "prime") return checkPrime(n, certificate, note);
  if (verdict === "probably_prime") return checkProbable(n);
  if (verdict === "neither") return n < 2n ? shown("It is below 2.") : refuted("It is not below 2.");
  return agreed("There is no verdict to check.");
}

function checkComposite(n, { factor, witness }) {
  if (factor !== undefined) return isFactor(n, integer(factor)) ? shown(`${factor} divides it.`) : refuted(`${factor} does not divide it.`);
  if (witness === undefined) return agreed("No evidence came with it.");
  const test = `the strong test to the base ${witness}`;
  return isWitness(n, integer(witness)) ? shown(`It fails ${test}, as no prime does.`) : refuted(`It does not fail ${test}.`);
}

function integer(text) {
  return /^[0-9]{1,20}$/.test(text) ? BigInt(text) : 0n; // evidence is below 2^64; 0 shows nothing
}

function checkPrime(n, certificate, note) {
  if (certificate !== undefined) return checkCertificate(n, certificate, note);
  if (n >= EXACT_BELOW) return agreed("No certificate came with it.");
  return isSmallPrime(n) ? shown("It passes 13 strong tests, which decide numbers of its size.") : refuted("It is composite: it fails a strong test.");
}

function checkCertificate(n, text, note) {
  try {
    const certificate = read(text);
    if (certificate.n !== n) return refuted("The certificate is for another number.");
    const steps = prove(certificate, note);
    return shown(steps > 1 ? `All ${steps} steps of its certificate hold.` : "Its certificate holds.");
  } catch (error) {
    if (!["Malformed", "Rejected"].includes(error.name)) throw error;
    return refuted(`The certificate does not hold: ${error.message}.`);
  }
}

function checkProbable(n) {
  if (n < EXACT_BELOW) return isSmallPrime(n) ? shown("It passes 13 strong tests, which decide numbers of its size.") : refuted("It is composite.");
  for (let test = 0; test < TESTS; test += 1) {
    if (n % 2n === 0n || failsStrongTest(n, randomBase())) return refuted("It is composite: it fails a strong test.");
  }
  return agreed(`It passes ${TESTS} strong tests to bases drawn here; that is no proof.`);
}

function randomBase() {
  return crypto.getRandomValues(new Uint8Array(BASE_BYTES)).reduce((base, byte) => base * 256n + BigInt(byte), 0n) + 2n;
}

const shown = (words) => ({ outcome: "shown", words });
const agreed = (words) => ({ outcome: "agreed", words });
const refuted = (words) => ({ outcome: "refuted", words });
