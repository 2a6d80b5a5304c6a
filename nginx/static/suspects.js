// Which of several requests the server cannot read, or closes the socket over: found by asking them one at a time.

import { CHECK } from "./requests.js";

/**
 * Ids of requests without an answer, of which one or more may be at fault.
 *
 * Each is asked alone, and after it a check, which any server answers at once. Messages are read in order: a request that is not
 * refused before the check's answer is not at fault, however long its own takes. A check alone comes first: what is refused before
 * its answer was said before.
 */
export class Suspects {
  /** Id of the request that was asked and whose check has no answer, if there is one. */
  tested;
  #ids = new Set(); // in the order in which they are asked
  #check; // id of the check that has no answer
  #made = 0;
  #ready = false; // whether the first check was answered

  get size() {
    return this.#ids.size;
  }

  /** One of these is at fault. */
  add(ids) {
    for (const id of ids) this.#ids.add(id);
    this.restart();
  }

  /** Nothing that was said counts any more: over another socket, or after answers that this one lost. */
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
