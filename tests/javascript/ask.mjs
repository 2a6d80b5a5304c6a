// Asks over the URL that is given what stands on standard input, a number a line, and prints an answer or an error a line, as JSON, as
// they come. METHOD is one of the client's, `ask` unless given.
// node tests/javascript/ask.mjs ws://HOST/chatsocket [WINDOW [METHOD]]

import { createInterface } from "node:readline";

import { Client } from "../../nginx/static/client.js";

const [url, window = "200", method = "ask"] = process.argv.slice(2);
const client = new Client(url, { window: Number(window) });
const instances = new Set();
client.addEventListener("state", () => client.state.instance && instances.add(client.state.instance));

const numbers = [];
for await (const line of createInterface({ input: process.stdin })) numbers.push(line);
await Promise.all(
  numbers.map(async (number) => {
    try {
      const { verdict, evidence, factors, cofactor, complete } = await client[method](number);
      console.log(JSON.stringify({ number, verdict, evidence, factors, cofactor, complete }));
    } catch ({ code, message }) {
      console.log(JSON.stringify({ number, error: { code, message } }));
    }
  }),
);
console.log(JSON.stringify({ instances: [...instances].toSorted() }));
client.close();
