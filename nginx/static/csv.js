// Answers as CSV of RFC 4180, of which no spreadsheet runs anything.

import { readFactors, writeProduct } from "./factors.js";

const HEADS = ["number", "verdict", "proven", "factor", "witness", "certificate", "checked", "method", "compute_ms", "digits", "value", "factors"];

// What a spreadsheet takes for the beginning of a formula; the wide forms are taken so with a Japanese keyboard.
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const INTEGER = /^[+-]?[0-9]+$/; // is none, whatever its sign

/** A line of heads, and one for each of the page's entries that has its answer; see table.js. */
export function csv(entries) {
  const rows = entries.filter(({ open }) => !open).map(({ number, verdict, proven, evidence, check, method, compute_ms, error, digits, value, factored }) => [
    number, error?.code ?? verdict, proven, evidence?.factor, evidence?.witness, evidence?.certificate, check?.outcome, method, compute_ms, digits, value, writeFactors(factored),
  ]);
  return [HEADS, ...rows].map((row) => row.map(quote).join(",")).join("\r\n");
}

/** As a product; nothing where none came that can be read. */
function writeFactors(factored) {
  try {
    return factored?.factoring && writeProduct(readFactors(factored.factoring));
  } catch {
    return undefined;
  }
}

function quote(value) {
  const text = String(value ?? "");
  const guard = FORMULA.test(text) && !INTEGER.test(text) ? "'" : "";
  return `"${guard}${text.replaceAll('"', '""')}"`;
}
