// Files that are refused before they are sent.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Upload } from "../../nginx/static/upload.js";

/** What the upload of a file of so many bytes ends with; `sent` is called with each request. */
async function end(size, sent) {
  globalThis.fetch = async (url) => {
    sent(url);
    return new Response('{"error":{"code":"going_away","message":"As if","retryable":false}}', { status: 400 });
  };
  try {
    for await (const answers of new Upload(new File([new Uint8Array(size)], "numbers.txt"), new AbortController().signal).answers()) assert.fail(answers);
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
  return "";
}

test("an empty file and one above 50 MB are told without being sent", async () => {
  const sent = [];
  assert.equal(await end(0, (url) => sent.push(url)), "empty: The file is empty");
  assert.equal(await end(50 * 2 ** 20 + 1, (url) => sent.push(url)), "body_too_large: Files of up to 50 MB are taken, this one has 51 MB");
  assert.deepEqual(sent, []);
});

test("the numbers of a file of up to 10 MB are kept", async () => {
  const sent = [];
  await end(10 * 2 ** 20, (url) => sent.push(url));
  await end(10 * 2 ** 20 + 1, (url) => sent.push(url));
  assert.deepEqual(sent, ["/jobs?format=csv", "/jobs"]);
});

test("a file of 50 MB is sent", async () => {
  const sent = [];
  assert.equal(await end(50 * 2 ** 20, (url) => sent.push(url)), "going_away: As if");
  assert.deepEqual(sent, ["/jobs"]);
});

test("the number of a line is what the server takes it for", async () => {
  const file = ["97;  # c", "91\x85# c", "7 ;", "\u0667\u3000// x", " 5\t\\\\ y", "\x8511", "12\\", "34 ; # z", "\ufeff3"].join("\n");
  const told = [1, 2, 3, 4, 5, 6, 7, 9].map((line) => JSON.stringify({ line, verdict: "neither" }));
  globalThis.fetch = async (url, { method } = {}) =>
    method === "POST" ? new Response('{"job":"x"}', { status: 202 }) : new Response(`${told.join("\n")}\n{"done":true}\n`, { status: 200 });
  const numbers = [];
  for await (const answers of new Upload(new File([file], "numbers.txt"), new AbortController().signal).answers()) {
    numbers.push(...answers.map(({ number }) => number));
  }
  assert.deepEqual(numbers, ["97", "91", "7", "\u0667", "5", "11", "1234", "\ufeff3"]);
});
