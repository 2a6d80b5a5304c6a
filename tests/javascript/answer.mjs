// Reads [name, argument] from standard input, a line of JSON each, and prints what the function of twins.mjs by that name returns.

import { createInterface } from "node:readline";

import * as twins from "./twins.mjs";

for await (const line of createInterface({ input: process.stdin })) {
  const [name, argument] = JSON.parse(line);
  console.log(JSON.stringify(twins[name](argument)));
}
