// Reads certificates from standard input, each a line with a JSON string, and prints what verify.js makes of each.

import { createInterface } from "node:readline";

import { read } from "../../nginx/static/certificate.js";
import { prove } from "../../nginx/static/verify.js";

for await (const line of createInterface({ input: process.stdin })) console.log(judge(JSON.parse(line)));

function judge(text) {
  try {
    const certificate = read(text);
    prove(certificate);
    return `proves ${certificate.n}`;
  } catch (error) {
    if (error.name === "Malformed") return "malformed";
    if (error.name === "Rejected") return "rejected";
    throw error;
  }
}
