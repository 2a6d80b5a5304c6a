// What an answer's evidence shows of its number, found without the server's help.

import { read } from "./certificate.js";
import { evaluate } from "./expression.js";
import { readFactors } from "./factors.js";
import { BASES, EXACT_BELOW, failsStrongTest, isFactor, isSmallPrime, isWitness, prove } from "./verify.js";

const DRAWN = 3; // bases of strong tests; a composite number passes one with a chance below 1/4
const BASE_BYTES = 8;

// What evidence a verdict may bring. What comes with another is a lie, or a fault: nobody looks at it.
const KINDS = { composite: ["factor", "witness"], prime: ["certificate"], probably_prime: [], neither: [] };
const ALL_KINDS = Object.values(KINDS).flat();

const DECIDED = "It passes 13 strong tests, which decide numbers of its size.";

/**
 * Check {number, verdict, evidence, digits, value} against the number that was asked about, an integer or an expression, in a text. `digits`
 * and `value` are what the server says that an expression stands for, where it does. `certificate` is the text of the one that the evidence
 * names, if it names one; `note` hears how many of its steps hold. With `factoring`, {factors, cofactor}, it is the answer to a question for
 * factors, and these are checked.
 *
 * Returns {outcome, words}. Outcomes: "shown": the verdict is certain, whoever sent it; "agreed": nothing is proven, and nothing
 * contradicts it; "refuted": the evidence does not show it, so that its sender is not to be trusted.
 */
export function check({ number, verdict, evidence = {}, digits, value, factoring }, certificate, note) {
  let n;
  try {
    n = evaluate(number);
  } catch (error) {
    return agreed(`The number cannot be computed here: ${error.message}.`);
  }
  if (!isValue(n, digits, value)) return refuted("What came as its value, or as how many digits it has, is not so.");
  return factoring ? checkFactors(n, verdict, evidence, factoring) : checkVerdict(n, verdict, evidence, certificate, note);
}

function checkVerdict(n, verdict, evidence, certificate, note) {
  if (!Object.hasOwn(KINDS, verdict)) return agreed("The verdict is not known here.");
  const strange = ALL_KINDS.find((kind) => Object.hasOwn(evidence, kind) && !KINDS[verdict].includes(kind));
  if (strange) return refuted(`A ${strange} is no evidence of this verdict.`);
  return checkKnown(n, verdict, evidence, certificate, note);
}

function isValue(n, digits, value) {
  if (value !== undefined && !(/^-?[0-9]{1,1000}$/.test(value) && BigInt(value) === n)) return false;
  return digits === undefined || digits === String(n < 0n ? -n : n).length;
}

/** Whether their product is the number, and each is what it is called. */
function checkFactors(n, verdict, evidence, factoring) {
  let parts;
  try {
    parts = readFactors(factoring).map((part) => ({ ...part, p: evaluate(part.number) }));
  } catch (error) {
    if (error.name !== "NotANumber") throw error;
    return refuted(`What came as its factors is none: ${error.message}.`);
  }
  if (!multiplyTo(n < 0n ? -n : n, parts)) return refuted("The product of its factors is another number.");
  const checks = parts.map(checkPart);
  if (parts.some(({ left }) => left)) checks.push(checkVerdict(n, verdict, evidence));
  const worst = ["refuted", "agreed"].map((outcome) => checks.find((one) => one.outcome === outcome)).find(Boolean);
  return worst ?? shown("The product of its factors is right, and each is what it is called.");
}

function checkPart({ p, verdict, evidence }) {
  if (!Object.hasOwn(KINDS, verdict)) return agreed("The verdict of a factor is not known here.");
  const { outcome, words } = checkKnown(p, verdict, evidence);
  return { outcome, words: `Of one of its factors: ${words}` };
}

function checkKnown(n, verdict, evidence, certificate, note) {
  if (verdict === "composite") return checkComposite(n, evidence);
  if (verdict === "neither") return n < 2n ? shown("It is below 2.") : refuted("It is not below 2.");
  return certificate === undefined ? checkPrime(n) : checkCertificate(n, certificate, note);
}

/** Whether the product of these powers is n; one that grows above it is not computed to its end. */
function multiplyTo(n, parts) {
  const length = n.toString(2).length;
  let product = 1n;
  for (const { p, multiplicity } of parts) {
    if ((p.toString(2).length - 1) * multiplicity > length) return false;
    product *= p ** BigInt(multiplicity);
    if (product > n) return false;
  }
  return product === n;
}

function checkComposite(n, evidence) {
  if (Object.hasOwn(evidence, "factor")) return checkFactor(n, evidence.factor);
  if (Object.hasOwn(evidence, "witness")) return checkWitness(n, evidence.witness);
  if (n >= EXACT_BELOW) return agreed("No evidence came with it.");
  return n > 1n && !isSmallPrime(n) ? shown("It fails a strong test.") : refuted("It is prime, or below 2.");
}

function checkFactor(n, value) {
  const factor = readSmall(value);
  if (factor === undefined) return refuted("What came as a factor is no number below 2^64.");
  return isFactor(n, factor) ? shown(`${factor} divides it.`) : refuted(`${factor} does not divide it, or is 1 or the number itself.`);
}

function checkWitness(n, value) {
  const base = readSmall(value);
  if (base === undefined) return refuted("What came as a witness is no number below 2^64.");
  const test = `the strong test to the base ${base}`;
  return isWitness(n, base) ? shown(`It fails ${test}, as no prime does.`) : refuted(`It does not fail ${test}.`);
}

function readSmall(value) {
  return typeof value === "string" && /^[0-9]{1,20}$/.test(value) ? BigInt(value) : undefined;
}

function checkPrime(n) {
  if (n < EXACT_BELOW) return isSmallPrime(n) ? shown(DECIDED) : refuted("It fails a strong test, or is below 2.");
  const factor = BASES.find((base) => n % base === 0n);
  if (factor) return refuted(`${factor} divides it.`);
  // Base 2 tells nearly every composite, each time; the others cannot be foreseen by whoever looks for one that passes.
  const bases = [2n, ...Array.from({ length: DRAWN }, randomBase)];
  if (bases.some((base) => failsStrongTest(n, base))) return refuted("It is composite: it fails a strong test.");
  return agreed(`It passes strong tests to the base 2 and to ${DRAWN} drawn here; that is no proof.`);
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

/** Check a certificate of anybody's, in whichever format: {number, outcome, words}, the number where it could be read. */
export function checkAnybodys(text, note) {
  let n;
  try {
    const certificate = read(text);
    ({ n } = certificate);
    const steps = prove(certificate, note);
    return { number: String(n), ...shown(steps > 1 ? `All ${steps} steps hold.` : "It holds.") };
  } catch (error) {
    if (!["Malformed", "Rejected"].includes(error.name)) throw error;
    return { number: n && String(n), ...refuted(`It does not hold: ${error.message}.`) };
  }
}

function randomBase() {
  return crypto.getRandomValues(new Uint8Array(BASE_BYTES)).reduce((base, byte) => base * 256n + BigInt(byte), 0n) + 2n;
}

const shown = (words) => ({ outcome: "shown", words });
const agreed = (words) => ({ outcome: "agreed", words });
const refuted = (words) => ({ outcome: "refuted", words });
