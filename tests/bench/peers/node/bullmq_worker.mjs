// The worker of the row `node-bullmq`: node bullmq_worker.mjs NAME REDIS_PORT

import { Worker } from "bullmq";
import { isPrime } from "./prime.mjs";

const [name, redisPort] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(redisPort), maxRetriesPerRequest: null };
const worker = new Worker("primes", async (job) => isPrime(job.data), { connection, name, concurrency: 50 });
worker.on("error", (error) => {
  throw error;
});
worker.on("failed", (_, error) => {
  throw error;
});
