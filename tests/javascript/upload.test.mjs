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
