// The table that the page saves.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { csv } from "../../nginx/static/csv.js";

const CELLS = JSON.parse(readFileSync(new URL("../conformance/cells.json", import.meta.url)));

/** The field of a number. */
function field(number) {
  return csv([{ number }]).split("\r\n").slice(1).join("\r\n").slice(0, -',"","","","","","","","","","",""'.length);
}

test("an answer is a line, what is open is none, and every field is quoted", () => {
  const answer = { number: "91", verdict: "composite", proven: true, method: 'a "b", c', compute_ms: 0.5, evidence: { factor: "7" }, check: { outcome: "shown" } };
  const [heads, ...lines] = csv([answer, { number: "97", open: true }, { number: "7.0", error: { code: "not_an_integer" } }]).split("\r\n");
  assert.equal(heads, '"number","verdict","proven","factor","witness","certificate","checked","method","compute_ms","digits","value","factors"');
  assert.deepEqual(lines, ['"91","composite","true","7","","","shown","a ""b"", c","0.5","","",""', '"7.0","not_an_integer","","","","","","","","","",""']);
});

test("what an expression stands for is in two columns, a negative value without an apostrophe", () => {
  const [, line] = csv([{ number: "2^7-130", verdict: "neither", digits: 1, value: "-2" }]).split("\r\n");
  assert.equal(line, '"2^7-130","neither","","","","","","","","1","-2",""');
});

test("factors that were looked for are in the last column, as a product", () => {
  const found = { factoring: { factors: [{ factor: "2", multiplicity: 2, verdict: "prime" }, { factor: "3", multiplicity: 1, verdict: "prime" }] } };
  const last = (factored) => csv([{ number: "12", factored }]).split("\r\n")[1].split(",").at(-1);
  assert.deepEqual([found, { factoring: { factors: "none" } }, { error: { code: "deadline" } }].map(last), ['"2^2 * 3"', '""', '""']);
});

test("a cell is quoted as the server quotes it, and runs nothing", () => {
  for (const [text, cell] of Object.entries(CELLS)) assert.equal(field(text), cell);
});

test("a long integer is no formula", () => {
  const text = `-${"9".repeat(1_000)}`;
  assert.equal(field(text), `"${text}"`);
});
