// Which of several requests the server cannot read, or closes the socket over: found by asking them one at a time.

import { CHECK } from "./requests.js";

/** Ids of open requests, some of which are at fault. Each is asked alone, then a check: what was read before its answer is not at fault. */
export class Suspects {
  /** Id of the request that was asked and whose check has no answer. */
  tested;
  #ids = new Set();
  #check; // id of the check that has no answer
  #made = 0;
  #ready = false; // a check alone was answered: what is refused from now on was said after it

  get size() {
    return this.#ids.size;
  }

  /** One of these is at fault. */
  add(ids) {
    for (const id of ids) this.#ids.add(id);
    this.restart();
  }

  /** What was said counts no more. */
  restart() {
    this.tested = this.#check = undefined;
    this.#ready = false;
  }

  /** Id of the check to be said now, if one is, after `tested`. */
  next() {
    if (this.#check !== undefined || !this.#ids.size) return undefined;
    this.#made += 1;
    this.#check = `${this.#made}${CHECK}`;
    [this.tested] = this.#ready ? this.#ids : [];
    return this.#check;
  }

  /** A response with this id has come. */
  hear(id) {
    if (this.#check === undefined || id !== this.#check) return;
    if (this.tested !== undefined) this.drop(this.tested);
    this.#check = undefined;
    this.#ready = true;
  }

  /** This one is not at fault, or has failed. */
  drop(id) {
    this.#ids.delete(id);
    if (this.tested === id) this.tested = undefined;
  }
}
