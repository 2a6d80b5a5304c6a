// What a client of primes.v1 says and what it makes of what it hears, without I/O: client.js brings the socket and the time.
// A request is open until its answer came, over however many sockets: see "The one rule" in docs/protocol-v1.md.

import { Malformed, read, readCancelled, readFound, readResumed } from "./messages.js";
import { CANCEL, checkId, PrimesError, PROBE, RESUME, write } from "./requests.js";
import { Suspects } from "./suspects.js";

export { PrimesError };

const MOST_OPEN = 10_000; // requests without an answer, those included that wait here for the window
const FIRST_RETRY = 1; // s after a refusal, where the server names no other
const LONGEST_RETRY = 30; // s, a guess at what a person bears
const EVICTED = 4001; // close code: another socket has the session
// Close codes for which a message of ours may be the reason.
const OUR_FAULT = new Set([1002, 1003, 1007, 1008, 1009]);
const TOO_BIG = 1009; // the last of these
const MOST_REFUSED = 3; // connections in a row that end so, none with an answer
const REMEMBERED = 10_000; // ids that callers gave; the server remembers the last 1,024 of a session
const SHOWN = 60; // characters of a message that a fault repeats

/** One request; `settle` hears its answer or its PrimesError, once, `tell` what becomes of it before. */
class Request {
  sent = false; // over any socket: the server may know it
  asked = false; // over the present socket, and not refused since
  cancelled = false; // its client wants no answer any more
  notBefore = 0; // ms: after a refusal
  refusals = 0;
  told = false; // the verdict before the proof

  constructor(id, text, settle, tell) {
    this.id = id;
    this.text = text; // of its message
    this.settle = settle;
    this.tell = tell;
  }
}

/**
 * The requests of one client and its session. `tell` hears what concerns them all: {type: "session", instance, recovered},
 * {type: "leaving", seconds}, {type: "fault", message}. Times are in ms, of any clock that only goes forward.
 */
export class Conversation {
  #open = new Map(); // id → Request, in the order in which they were made
  #queue = []; // those not asked yet, or to be asked again
  #asked = 0;
  #made = 0;
  #phase = "away"; // then "greeting", perhaps "resuming", then "talking"
  #outbox = [];
  #resuming = false; // `resume` was asked over the present socket, and has no answer
  #begun; // what the present socket's own session is
  #suspects = new Suspects(); // while there are any, nothing else is asked
  #refused = 0; // connections in a row that ended with OUR_FAULT, since the last answer
  #former = new Set(); // ids that callers gave and that are open no more, oldest first
  #prefix;
  #window;
  #tell;

  constructor({ prefix, window = 200, saved = undefined, tell = () => {} }) {
    if (!(window >= 1)) throw new RangeError(`Expected a window of at least 1 request, got ${window}`);
    this.#prefix = prefix; // of ids: an id must not come again in a session, whoever continues it
    this.#window = window;
    this.#tell = tell;
    this.session = saved?.session;
    this.offset = saved?.offset ?? "0";
    this.instance = undefined;
  }

  /** How many requests have no answer. */
  get open() {
    return this.#open.size;
  }

  /** How many of them are with the server, as far as is known. */
  get asked() {
    return this.#asked;
  }

  get talking() {
    return this.#phase === "talking";
  }

  /**
   * Make a request. Its id is what the answer is known by. Throws a PrimesError, `busy` when too many are open or as `write` does; a
   * RangeError for an id that cannot be used, or was: the server would take this question for the former.
   */
  ask(method, params, settle, tell = () => {}, id = undefined) {
    if (this.#open.size >= MOST_OPEN) throw new PrimesError("busy", `Expected at most ${MOST_OPEN} requests without an answer, got one more`);
    if (id !== undefined) this.#checkUnused(id);
    const known = id ?? `${this.#prefix}-${this.#made + 1}`;
    const request = new Request(known, write(known, method, params), settle, tell);
    if (id === undefined) this.#made += 1;
    this.#open.set(known, request);
    this.#queue.push(request);
    return known;
  }

  #checkUnused(id) {
    checkId(id);
    if (this.#open.has(id) || this.#former.has(id) || this.#isOurs(id)) throw new RangeError(`Expected an id of its own for each request, got ${id} again`);
  }

  #isOurs(id) {
    return id.startsWith(`${this.#prefix}-`);
  }

  /** Want the answer no longer: the request fails with `cancelled`, when the server has stopped its computation. */
  cancel(id) {
    const request = this.#open.get(id);
    if (!request || request.cancelled) return;
    request.cancelled = true;
    if (request.asked) this.#say(`${id}${CANCEL}`, "cancel", { request: id });
    else if (request.sent) request.notBefore = 0; // in the queue: its turn cancels it
    else this.#fail(request, "cancelled", "The client cancelled the job", {});
  }

  /** Ask for a sign of life: the server answers that there is nothing to cancel. */
  probe() {
    this.#say(PROBE, "cancel", { request: PROBE });
  }

  /** Wait for nothing any more. */
  close() {
    for (const request of this.#open.values()) this.#fail(request, "closed", "The client is closed", {});
  }

  /** A socket is open. */
  begin() {
    this.#phase = "greeting";
    this.#resuming = false;
  }

  /** It is closed, with this code. */
  end(code) {
    this.#phase = "away";
    this.#outbox = [];
    if (code === EVICTED) this.#forgetSession();
    if (OUR_FAULT.has(code)) this.#blame(code);
    this.#askAgain();
  }

  /** The server closed the socket over something that was said. */
  #blame(code) {
    this.#refused += 1;
    const tested = this.#open.get(this.#suspects.tested);
    if (this.#refused >= MOST_REFUSED) {
      for (const request of this.#open.values()) this.#fail(request, "refused", `The server closes every connection with ${code}, whatever is asked`, {});
    } else if (tested) {
      this.#fail(tested, code === TOO_BIG ? "too_large" : "refused", `The server closes the connection with ${code} when it is asked this`, {});
    } else this.#suspects.add([...this.#open.values()].filter(({ asked }) => asked).map(({ id }) => id));
  }

  /**
   * Take one message of the server. Returns false when the socket is to be closed, and the session resumed over another: after a message
   * that is malformed, and when the session cannot be resumed over this one.
   */
  hear(text, now) {
    try {
      for (const message of read(text)) if (!this.#hearOne(message, now)) return false;
      return true;
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#tell({ type: "fault", message: `Expected a message of primes.v1, got ${String(text).slice(0, SHOWN)}` });
      return false;
    }
  }

  #hearOne(message, now) {
    if (message.kind === "session") this.#hearSession(message);
    else if (message.kind === "going_away") this.#tell({ type: "leaving", seconds: message.seconds });
    else if (message.kind === "verdict") this.#hearVerdict(message.params);
    else if (message.kind === "progress") for (const job of message.jobs) this.#open.get(job.id)?.tell({ ...job, type: "progress" });
    else if (message.id === RESUME || (message.id === null && this.#resuming)) return this.#hearResumed(message);
    else if (message.kind !== "new") this.#hearResponse(message, now);
    return true;
  }

  #hearSession(session) {
    if (this.#phase === "greeting") {
      this.#begun = session;
      if (this.session !== undefined) {
        this.#phase = "resuming";
        this.#resuming = true;
        this.#say(RESUME, "resume", { session: this.session, offset: this.offset });
      } else this.#talk(session);
    } else if (session.recovered === false) {
      this.#talk(session); // Redis lost its data
      this.#askAgain();
    } else if (session.session === this.session) this.#advance(session.offset); // an answer that we have was numbered again
  }

  #hearVerdict(params) {
    const request = this.#open.get(params.id);
    if (!request || request.told) return; // told before the connection was lost
    request.told = true;
    request.tell({ ...params, type: "verdict", instance: this.instance });
  }

  #hearResumed(response) {
    if (!this.#resuming) throw new Malformed("Expected no answer to a resume that was not asked");
    this.#resuming = false;
    if (response.kind === "result") this.#talk(readResumed(response.fields));
    else if (response.retryable) return false; // what is asked over this socket would belong to the session that it began with
    else this.#talk({ ...this.#begun, recovered: false });
    return true;
  }

  #talk({ session, offset, instance, recovered }) {
    this.#phase = "talking";
    this.session = session;
    this.offset = offset;
    this.instance = instance;
    this.#tell({ type: "session", instance, recovered });
  }

  #hearResponse(response, now) {
    if (this.session === undefined) throw new Malformed("Expected the session before a response");
    if (response.id === null) return this.#hearUnreadable(response, now);
    this.#refused = 0;
    this.#suspects.hear(response.id);
    const request = this.#open.get(response.id);
    const cancelled = typeof response.id === "string" && response.id.endsWith(CANCEL) ? this.#open.get(response.id.slice(0, -CANCEL.length)) : undefined;
    if (request) this.#hearAnswer(request, response, now);
    else if (cancelled) this.#hearCancelled(cancelled, response, now);
    // Else it is answered already, or was never asked.
    if (response.offset !== undefined) this.#advance(response.offset); // last: what could not be read is sent again
  }

  /** The server could not read something that was said over this socket, and does not know what. */
  #hearUnreadable(refusal, now) {
    if (this.#suspects.size) {
      const tested = this.#open.get(this.#suspects.tested);
      if (tested) this.#hearAnswer(tested, refusal, now);
      return; // else it was said before they were suspects, and each is asked again
    }
    const asked = [...this.#open.values()].filter((request) => request.asked);
    if (asked.length === 1) this.#hearAnswer(asked[0], refusal, now);
    else this.#suspects.add(asked.map(({ id }) => id));
  }

  #hearAnswer(request, response, now) {
    if (response.kind === "result") this.#settle(request, readFound(response.fields));
    else if (response.retryable) this.#postpone(request, now, response.retryAfter);
    else this.#fail(request, response.code, response.message, response.fields);
  }

  #hearCancelled(request, response, now) {
    if (response.retryable) this.#postpone(request, now, response.retryAfter);
    // true: the answer to the request itself says so. Else the server never had the request, or its answer came before.
    else if (response.kind === "refusal" || !readCancelled(response.fields)) this.#fail(request, "cancelled", "The client cancelled the job", {});
  }

  #settle(request, found) {
    this.#close(request);
    request.settle(Object.freeze({ ...found, instance: this.instance }));
  }

  #fail(request, code, message, data) {
    this.#close(request);
    request.settle(new PrimesError(code, message, data));
  }

  #close(request) {
    this.#open.delete(request.id);
    this.#suspects.drop(request.id);
    if (!this.#isOurs(request.id)) this.#former.add(request.id);
    if (this.#former.size > REMEMBERED) this.#former.delete(this.#former.values().next().value);
    if (request.asked) this.#asked -= 1;
    else this.#queue = this.#queue.filter((other) => other !== request);
  }

  #postpone(request, now, seconds = FIRST_RETRY) {
    const more = Math.min(LONGEST_RETRY, (seconds || FIRST_RETRY) * 2 ** request.refusals); // a server that names 0 s is not asked without a pause
    request.notBefore = now + 1000 * (seconds + Math.random() * more);
    request.refusals = Math.min(request.refusals + 1, 32); // more would only overflow
    this.#suspects.drop(request.id); // it was read
    if (!request.asked) return;
    request.asked = false;
    this.#asked -= 1;
    this.#queue.push(request);
  }

  #advance(offset) {
    const [epoch, number = "0"] = offset.split("-");
    const [ours, reached = "0"] = this.offset.split("-");
    // An answer that is repeated carries the offset of now; an older one must not take the session back.
    if (epoch !== ours || BigInt(number) > BigInt(reached)) this.offset = offset;
  }

  #forgetSession() {
    this.session = undefined;
    this.offset = "0";
  }

  #askAgain() {
    for (const request of this.#open.values()) request.asked = false;
    this.#asked = 0;
    this.#queue = [...this.#open.values()];
    this.#suspects.restart();
  }

  #say(id, method, params) {
    this.#outbox.push(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  }

  /** The messages to send now. */
  take(now) {
    if (this.#phase === "talking" && this.#suspects.size) this.#askSuspect();
    else if (this.#phase === "talking" && this.#asked < this.#window) this.#askNext(now);
    const messages = this.#outbox;
    this.#outbox = [];
    return messages;
  }

  #askSuspect() {
    const check = this.#suspects.next();
    if (check === undefined) return; // the one before is not known yet
    const request = this.#open.get(this.#suspects.tested);
    if (request) {
      this.#queue = this.#queue.filter((other) => other !== request);
      this.#askOne(request);
    }
    this.#say(check, "cancel", { request: check });
  }

  #askNext(now) {
    const later = [];
    let next = 0;
    for (; next < this.#queue.length && this.#asked < this.#window; next += 1) {
      const request = this.#queue[next];
      if (request.notBefore > now) {
        later.push(request);
        continue;
      }
      this.#askOne(request);
    }
    this.#queue = [...later, ...this.#queue.slice(next)];
  }

  #askOne(request) {
    if (!request.asked) this.#asked += 1;
    request.asked = request.sent = true;
    if (request.cancelled) this.#say(`${request.id}${CANCEL}`, "cancel", { request: request.id });
    else this.#outbox.push(request.text);
  }

  /** When, if ever, something is to be sent that may not be sent yet. */
  get due() {
    if (this.#phase !== "talking" || this.#suspects.size || this.#asked >= this.#window) return undefined;
    return this.#queue.reduce((first, request) => Math.min(first, request.notBefore), Infinity);
  }
}
