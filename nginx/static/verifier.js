// A web worker that checks answers while the page stays quick: {id, answers} in, {id, results} out; {id, done, steps} on the way.

import { check, checkAnybodys } from "./check.js";

const PAUSE = 100; // ms between two notes of progress
const LONGEST = 64 * 2 ** 20; // bytes of a certificate

/** The certificate with this SHA-256 could not be had: nothing is known of what it shows. */
class Unavailable extends Error {}

addEventListener("message", async ({ data: { id, answers } }) => {
  const results = [];
  for (const answer of answers) results.push(await checkOne(id, answer));
  postMessage({ id, results });
});

async function checkOne(id, answer) {
  try {
    if (answer.text !== undefined) return checkAnybodys(answer.text, noteOf(id));
    const digest = answer.evidence?.certificate;
    if (digest === undefined || answer.verdict !== "prime") return check(answer);
    const { text, same } = await fetchCertificate(digest);
    if (same === false) return { outcome: "refuted", words: "The certificate is not the one that the answer names." };
    const result = check(answer, text, noteOf(id));
    // Not needed for the proof, which the text alone makes; only that it is the very file that was named.
    return same || result.outcome !== "shown" ? result : { ...result, words: `${result.words} (Its SHA-256 cannot be compared: this page came without TLS.)` };
  } catch (error) {
    return { outcome: "unavailable", words: error instanceof Unavailable ? error.message : `The check broke off: ${error.message}` };
  }
}

function noteOf(id) {
  let last = performance.now();
  return (done, steps) => {
    if (performance.now() - last < PAUSE) return;
    last = performance.now();
    postMessage({ id, done, steps });
  };
}

async function fetchCertificate(named) {
  if (typeof named !== "string" || !/^[0-9A-Fa-f]{64}$/.test(named)) return { same: false };
  const digest = named.toLowerCase(); // as it is kept under
  let bytes;
  try {
    const response = await fetch(`/certificates/${digest}`);
    if (!response.ok) throw new Unavailable(`The certificate could not be fetched: HTTP status ${response.status}.`);
    if (Number(response.headers.get("Content-Length")) > LONGEST) throw new Unavailable("The certificate is too large to be checked here.");
    bytes = await response.arrayBuffer();
  } catch (error) {
    if (error instanceof TypeError) throw new Unavailable("The certificate could not be fetched: no connection.");
    throw error;
  }
  const text = new TextDecoder().decode(bytes);
  if (!crypto.subtle) return { text }; // absent where the page came over plain http, but for this machine's own
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return { text, same: digest === Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}
