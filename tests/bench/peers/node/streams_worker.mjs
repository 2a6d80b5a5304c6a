// The worker of the row `node-streams`: node streams_worker.mjs NAME REDIS_PORT
// The answers of one read go out in one transaction, one message for each web process, and leave with the next read.

import Redis from "ioredis";
import { isPrime } from "./prime.mjs";

const [name, redisPort] = process.argv.slice(2);
const redis = new Redis(Number(redisPort), "127.0.0.1");

try {
  await redis.xgroup("CREATE", "jobs", "workers", "0", "MKSTREAM");
} catch (error) {
  if (!error.message.startsWith("BUSYGROUP")) throw error;
}

function answer(entries) {
  const told = new Map(); // by channel
  for (const [, [, channel, , numbers]] of entries) {
    const answers = told.get(channel) ?? [];
    told.set(channel, answers);
    for (const question of numbers.split(",")) {
      const end = question.indexOf(":");
      answers.push(`${question.slice(0, end)}:${isPrime(Number(question.slice(end + 1))) ? 1 : 0}`);
    }
  }
  const ids = entries.map(([id]) => id);
  const step = redis.multi();
  for (const [channel, answers] of told) step.publish(channel, answers.join());
  return step.xack("jobs", "workers", ...ids).xdel("jobs", ...ids).exec();
}

let done; // the transaction of the last read
for (;;) {
  const read = redis.xreadgroup("GROUP", "workers", name, "COUNT", 8, "BLOCK", 1000, "STREAMS", "jobs", ">");
  await done;
  const found = await read;
  done = found ? answer(found[0][1]) : undefined;
}
