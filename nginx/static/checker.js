// Has answers checked in web workers, one at a time in each, and gives them up on demand.

import { evaluate } from "./expression.js";

// Digits above which a check takes so long that it waits to be asked for. Measured: a strong test of 3,000 digits takes 1.4 s, of
// 10,000 25 s, and a probable prime is tested four times; a certificate of 300 digits takes 1 s, of 500 6 s.
const MOST_UNASKED = { test: 2_000, certificate: 500 };
const QUICK = 300; // digits: below, a check takes milliseconds, and does not wait behind one that does not

/** Two workers, made when first needed: quick checks do not wait for slow ones. */
export class Checker {
  #lanes = {
    quick: new Lane(),
    slow: new Lane(),
  };

  /** Whether a check of this answer is quick enough to be made without being asked for. */
  isQuick(answer) {
    if (!isTested(answer) || answer.verdict === "neither") return true;
    return countDigits(answer.number) <= (answer.evidence?.certificate ? MOST_UNASKED.certificate : MOST_UNASKED.test);
  }

  /**
   * Check one answer, {number, verdict, evidence, factoring}. Resolves to {outcome, words} of check.js, or with the outcome "unavailable": try again
   * later; never if it was given up. `note` hears how many steps of a certificate hold.
   */
  async check(answer, { signal, note } = {}) {
    const slow = answer.evidence?.certificate !== undefined || (isTested(answer) && countDigits(answer.number) > QUICK);
    const [result] = await this.#lanes[slow ? "slow" : "quick"].run([answer], signal, note);
    return result;
  }

  /** Check a certificate of anybody's. Resolves to {number, outcome, words}; never if it was given up. */
  async checkText(text, { signal, note } = {}) {
    const [result] = await this.#lanes.slow.run([{ text }], signal, note);
    return result;
  }

  /** Check many answers; resolves to the results in their order. */
  checkAll(answers, signal) {
    return this.#lanes.slow.run(answers, signal);
  }
}

/** Whether it takes more than a division. */
function isTested({ evidence, factoring }) {
  return factoring !== undefined || evidence?.factor === undefined;
}

/** One worker and the tasks that wait for it. */
class Lane {
  #worker;
  #waiting = []; // the first one is with the worker
  #made = 0;

  run(answers, signal, note) {
    return new Promise((resolve, reject) => {
      const task = { id: (this.#made += 1), answers, resolve, reject, note };
      this.#waiting.push(task);
      signal?.addEventListener("abort", () => this.#giveUp(task));
      if (this.#waiting.length === 1) this.#begin();
    });
  }

  #begin() {
    const [task] = this.#waiting;
    if (!task) return;
    this.#worker ??= this.#hire();
    this.#worker.postMessage({ id: task.id, answers: task.answers });
  }

  #hire() {
    const worker = new Worker(new URL("./verifier.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => this.#hear(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const broken = { outcome: "unavailable", words: `The check broke off: ${event.message ?? "the worker did not start"}.` };
      this.#fire();
      this.#finish(this.#waiting[0]?.answers.map(() => broken));
    });
    return worker;
  }

  #hear({ id, results, done, steps }) {
    if (id !== this.#waiting[0]?.id) return;
    if (results) this.#finish(results);
    else this.#waiting[0].note?.(done, steps);
  }

  #finish(results) {
    this.#waiting.shift()?.resolve(results);
    this.#begin();
  }

  /** The only way to stop arithmetic that is under way. */
  #fire() {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #giveUp(task) {
    const first = task === this.#waiting[0];
    this.#waiting = this.#waiting.filter((other) => other !== task);
    if (!first) return;
    this.#fire();
    this.#begin();
  }
}

/** About how many decimal digits the number has; infinitely many where it cannot be computed here. */
function countDigits(number) {
  if (/^[0-9]+$/.test(number)) return number.length;
  try {
    return evaluate(number).toString(16).length * Math.log10(16);
  } catch {
    return Infinity;
  }
}
