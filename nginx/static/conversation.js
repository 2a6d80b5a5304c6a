// What a client of primes.v1 says and what it makes of what it hears, without I/O: client.js brings the socket and the time.
// A request is open until its answer came, over however many sockets: see "The one rule" in docs/protocol-v1.md.

import { Malformed, read, readCancelled, readFound, readResumed } from "./messages.js";

const MOST_OPEN = 10_000; // requests without an answer, those included that wait here for the window
const FIRST_RETRY = 1; // s after a refusal, where the server names no other
const LONGEST_RETRY = 30; // s, a guess at what a person bears
const EVICTED = 4001; // close code: another socket has the session
const RESUME = "resume"; // id of that request
const SHOWN = 60; // characters of a message that a fault repeats

/** A request that failed for good, or was cancelled; `code` is for programs, as in the protocol. */
export class PrimesError extends Error {
  name = "PrimesError";

  constructor(code, message, data = {}) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** One request; `settle` hears its answer or its PrimesError, once, `tell` what becomes of it before. */
class Request {
  sent = false; // over any socket: the server may know it
  asked = false; // over the present socket, and not refused since
  cancelled = false; // its client wants no answer any more
  notBefore = 0; // ms: after a refusal
  refusals = 0;
  told = false; // the verdict before the proof

  constructor(id, method, params, settle, tell) {
    this.id = id;
    this.method = method;
    this.params = params;
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
  #prefix;
  #window;
  #tell;

  constructor({ prefix, window = 200, saved = undefined, tell = () => {} }) {
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

  /** Make a request. Its id is what the answer is known by; throws PrimesError `busy` when too many are open. */
  ask(method, params, settle, tell = () => {}, id = `${this.#prefix}-${(this.#made += 1)}`) {
    if (this.#open.size >= MOST_OPEN) throw new PrimesError("busy", `Expected at most ${MOST_OPEN} requests without an answer, got one more`);
    const request = new Request(id, method, params, settle, tell);
    this.#open.set(id, request);
    this.#queue.push(request);
    return id;
  }

  /** Want the answer no longer: the request fails with `cancelled`, when the server has stopped its computation. */
  cancel(id) {
    const request = this.#open.get(id);
    if (!request || request.cancelled) return;
    request.cancelled = true;
    if (request.asked) this.#say(`${id}/cancel`, "cancel", { request: id });
    else if (request.sent) request.notBefore = 0; // in the queue: its turn cancels it
    else this.#fail(request, "cancelled", "The client cancelled the job", {});
  }

  /** Ask for a sign of life: the server answers that there is nothing to cancel. */
  probe() {
    this.#say("probe", "cancel", { request: "probe" });
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
    this.#askAgain();
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
    else if (message.id === RESUME) return this.#hearResumed(message);
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
    }
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
    const request = this.#open.get(response.id);
    const cancelled = typeof response.id === "string" ? this.#open.get(response.id.replace(/\/cancel$/, "")) : undefined;
    if (request) this.#hearAnswer(request, response, now);
    else if (cancelled) this.#hearCancelled(cancelled, response, now);
    // Else it is answered already, or was never asked.
    if (response.offset !== undefined) this.#advance(response.offset); // last: what could not be read is sent again
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
    if (request.asked) this.#asked -= 1;
    else this.#queue = this.#queue.filter((other) => other !== request);
  }

  #postpone(request, now, seconds = FIRST_RETRY) {
    request.notBefore = now + 1000 * (seconds + Math.random() * Math.min(LONGEST_RETRY, seconds * 2 ** request.refusals));
    request.refusals = Math.min(request.refusals + 1, 32); // more would only overflow
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
  }

  #say(id, method, params) {
    this.#outbox.push(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  }

  /** The messages to send now. */
  take(now) {
    if (this.#phase === "talking" && this.#asked < this.#window) this.#askNext(now);
    const messages = this.#outbox;
    this.#outbox = [];
    return messages;
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
      request.asked = request.sent = true;
      this.#asked += 1;
      if (request.cancelled) this.#say(`${request.id}/cancel`, "cancel", { request: request.id });
      else this.#say(request.id, request.method, request.params);
    }
    this.#queue = [...later, ...this.#queue.slice(next)];
  }

  /** When, if ever, something is to be sent that may not be sent yet. */
  get due() {
    if (this.#phase !== "talking" || this.#asked >= this.#window) return undefined;
    return this.#queue.reduce((first, request) => Math.min(first, request.notBefore), Infinity);
  }
}
