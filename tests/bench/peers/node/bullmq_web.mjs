// The web process of the row `node-bullmq`: node bullmq_web.mjs PORT REDIS_PORT
// Numbers of one tick are added with one `addBulk`; QueueEvents tell every web process of every job, and it picks its own.

import { Queue, QueueEvents } from "bullmq";
import { serve } from "./sockets.mjs";

const [port, redisPort] = process.argv.slice(2).map(Number);
const connection = { host: "127.0.0.1", port: redisPort };
const queue = new Queue("primes", { connection, defaultJobOptions: { removeOnComplete: true } });
const events = new QueueEvents("primes", { connection });
const replies = new Map(); // by the job's id
let jobs = 0;
let batch = [];

function write() {
  const added = batch;
  batch = [];
  return queue.addBulk(added);
}

function ask(number, reply) {
  const jobId = `${port}-${++jobs}`;
  replies.set(jobId, reply);
  if (batch.length === 0) setImmediate(write);
  batch.push({ name: "test", data: number, opts: { jobId } });
}

events.on("completed", ({ jobId, returnvalue }) => {
  const reply = replies.get(jobId);
  if (reply) {
    replies.delete(jobId);
    reply(returnvalue);
  }
});
await queue.waitUntilReady();
await events.waitUntilReady();
serve(port, ask);
