// The web process of the row `node-streams`: node streams_web.mjs PORT REDIS_PORT
// Numbers that came while the last write was under way leave as one entry; answers come in groups, by a channel of this process.

import Redis from "ioredis";
import { serve } from "./sockets.mjs";

const [port, redisPort] = process.argv.slice(2).map(Number);
const channel = `answers:${port}`;
const redis = new Redis(redisPort, "127.0.0.1");
const answers = new Redis(redisPort, "127.0.0.1");
const replies = new Map(); // by the job's number
let jobs = 0;
let batch = [];
let writing = false;

async function write() {
  while (batch.length > 0) {
    const entry = batch.join();
    batch = [];
    await redis.xadd("jobs", "*", "to", channel, "numbers", entry);
  }
  writing = false;
}

function ask(number, reply) {
  replies.set(++jobs, reply);
  batch.push(`${jobs}:${number}`);
  if (!writing) {
    writing = true;
    setImmediate(write); // what this tick brings besides goes with it
  }
}

answers.on("message", (_, told) => {
  for (const answer of told.split(",")) {
    const end = answer.indexOf(":");
    const job = Number(answer.slice(0, end));
    replies.get(job)(answer.slice(end + 1) === "1");
    replies.delete(job);
  }
});
await answers.subscribe(channel);
serve(port, ask);
