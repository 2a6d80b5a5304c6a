// The page's modules do what the tables say that both clients do.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { evaluateText, judge, play } from "./twins.mjs";

function table(name) {
  return JSON.parse(readFileSync(new URL(`../conformance/${name}.json`, import.meta.url), "utf8"));
}

test("numbers and expressions have the value that the server reads, and what it refuses is refused", () => {
  const { read, refused } = table("expressions");
  for (const [text, value] of Object.entries(read)) assert.equal(evaluateText(text), value, JSON.stringify(text));
  for (const text of refused) assert.equal(evaluateText(text), null, JSON.stringify(text));
});

test("answers are judged by what their evidence shows", () => {
  for (const answer of table("judgements")) assert.equal(judge(answer), answer.outcome, JSON.stringify(answer));
});

const { transcripts, malformed, harmless } = table("conversations");

for (const [name, steps] of Object.entries(transcripts)) {
  test(name, () => {
    play(steps).forEach((seen, index) => {
      const { events = [], sent = [], offset = seen.offset, open = seen.open } = steps[index];
      assert.deepEqual(seen, { events, sent, offset, open }, `step ${index}`);
    });
  });
}

// Two questions are with the server, and the second one is cancelled.
const SESSION = { method: "session", params: { session: "token", offset: "5-1", instance: "web0" } };
const BEFORE = [{ ask: "97" }, { ask: "91" }, { begin: true }, { hear: SESSION }, { cancel: "t-2" }];

test("what no server says ends the connection, and nothing else happens", () => {
  for (const text of malformed) {
    assert.deepEqual(play([...BEFORE, { hear: text }]).at(-1), { events: ["leave"], sent: [], offset: "5-1", open: 2 }, text.slice(0, 200));
  }
});

test("what concerns nobody changes nothing", () => {
  for (const text of harmless) assert.deepEqual(play([...BEFORE, { hear: text }]).at(-1), { events: [], sent: [], offset: "5-1", open: 2 }, text);
});
