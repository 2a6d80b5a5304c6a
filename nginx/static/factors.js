// The factors that a server found of a number, as they came: read with care, and written for people.

import { NotANumber } from "./functions.js";

/** Each factor, and at the end, with `left`, what is left where something is: {number, multiplicity, verdict, evidence}. Throws NotANumber for what is none. */
export function readFactors({ factors, cofactor }) {
  if (!Array.isArray(factors)) throw new NotANumber("Expected a list of factors");
  const parts = factors.map((one) => readOne(one, "factor"));
  return cofactor == null ? parts : [...parts, { ...readOne(cofactor, "number"), left: true }];
}

function readOne(one, name) {
  const { [name]: number, multiplicity = 1, verdict, evidence } = one ?? {};
  if (typeof number !== "string" || !/^[0-9]+$/.test(number)) throw new NotANumber("Expected a factor in digits");
  if (!Number.isInteger(multiplicity) || multiplicity < 1) throw new NotANumber("Expected the multiplicity of a factor, a number above 0");
  const shown = typeof evidence === "object" && evidence !== null ? evidence : {};
  return { number, multiplicity, verdict: typeof verdict === "string" ? verdict : "unknown", evidence: shown };
}

/** A power of such a part, the number as it is to be shown. */
export const writePower = (number, { multiplicity }) => (multiplicity > 1 ? `${number}^${multiplicity}` : number);

/** All of them as a product, which is an expression; what is in brackets is composite. */
export function writeProduct(parts) {
  return parts.map((part) => writePower(isPrime(part) ? part.number : `(${part.number})`, part)).join(" * ");
}

/** Whether they are all there are, in a sentence. */
export function describeFactors(parts) {
  if (parts.every(({ left }) => left)) return "The search ended before it found a factor. There are some, since the number is composite.";
  if (!parts.every(isPrime)) return "These are not all: the search ended before what is composite here was split.";
  if (parts.every(({ verdict }) => verdict === "prime")) return "These are all: each is prime.";
  return "These are all, though not each is proven to be prime.";
}

function isPrime({ verdict }) {
  return verdict === "prime" || verdict === "probably_prime";
}
