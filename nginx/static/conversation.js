// What a client of primes.v1 says and what it makes of what it hears, without I/O: client.js brings the socket and the time.
// A request is open until its answer came, over however many sockets: see "The one rule" in docs/protocol-v1.md.

const MOST_OPEN = 10_000; // requests without an answer, those included that wait here for the window
const FIRST_RETRY = 1; // s after a refusal, where the server names no other
const LONGEST_RETRY = 30; // s, a guess at what a person bears
const EVICTED = 4001; // close code: another socket has the session

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
  verdict = undefined; // told before the answer, while a proof is under way

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
    for (const request of [...this.#open.values()]) this.#fail(request, "closed", "The client is closed", {});
  }

  /** A socket is open. */
  begin() {
    this.#phase = "greeting";
  }

  /** It is closed, with this code. */
  end(code) {
    this.#phase = "away";
    this.#outbox = [];
    if (code === EVICTED) this.#forgetSession();
    this.#askAgain();
  }

  /** Take one message of the server. Returns false when the socket is to be closed, and the session resumed over another. */
  hear(text, now) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      this.#tell({ type: "fault", message: `Expected JSON, got ${String(text).slice(0, 40)}` });
      return false;
    }
    return (Array.isArray(message) ? message : [message]).every((one) => this.#hearOne(one, now));
  }

  #hearOne(message, now) {
    if (message.method) {
      this.#hearNotice(message.method, message.params);
      return true;
    }
    if (message.id === "resume") return this.#hearResumed(message);
    const request = this.#open.get(message.id) ?? this.#open.get(String(message.id).replace(/\/cancel$/, ""));
    const told = message.result ?? message.error?.data ?? {};
    if (told.offset) this.#advance(told.offset);
    if (!request) return true; // answered already, or never asked
    if (message.error?.data?.retryable) this.#postpone(request, message.error.data, now);
    else if (message.id !== request.id) this.#hearCancelled(request, message);
    else this.#settle(request, message);
    return true;
  }

  #hearNotice(method, params) {
    if (method === "session") this.#hearSession(params);
    else if (method === "going_away") this.#tell({ type: "leaving", seconds: params.reconnect_after });
    else if (method === "progress") for (const job of params.jobs) this.#open.get(job.id)?.tell({ type: "progress", ...job });
    else if (method === "verdict") this.#hearVerdict(params);
  }

  #hearSession(params) {
    if (this.#phase === "greeting") {
      this.#begun = params;
      if (this.session) {
        this.#phase = "resuming";
        this.#say("resume", "resume", { session: this.session, offset: this.offset });
      } else this.#talk(params);
    } else if (params.recovered === false) {
      this.#talk(params); // Redis lost its data
      this.#askAgain();
    }
  }

  #hearVerdict(params) {
    const request = this.#open.get(params.id);
    if (!request || request.verdict) return; // told before the connection was lost
    request.verdict = params.verdict;
    request.tell({ type: "verdict", ...params, instance: this.instance });
  }

  #hearResumed({ result, error }) {
    if (error?.data?.retryable) return false; // what is asked over this socket would belong to another session
    this.#talk(result ?? this.#begun);
    return true;
  }

  #talk({ session, offset, instance, recovered }) {
    this.#phase = "talking";
    this.session = session;
    this.offset = offset;
    this.instance = instance;
    this.#tell({ type: "session", instance, recovered });
  }

  #hearCancelled(request, { result }) {
    // true: the answer to the request itself says so. Else the server never had the request, or its answer came before.
    if (!result?.cancelled) this.#fail(request, "cancelled", "The client cancelled the job", {});
  }

  #settle(request, { result, error }) {
    if (error) this.#fail(request, error.data?.code ?? "error", error.message, error.data ?? {});
    else {
      this.#close(request);
      request.settle(Object.freeze({ ...result, instance: this.instance }));
    }
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

  #postpone(request, { retry_after: seconds = FIRST_RETRY }, now) {
    request.notBefore = now + 1000 * (seconds + Math.random() * Math.min(LONGEST_RETRY, seconds * 2 ** request.refusals));
    request.refusals += 1;
    if (!request.asked) return;
    request.asked = false;
    this.#asked -= 1;
    this.#queue.push(request);
  }

  #advance(offset) {
    const [epoch, number] = offset.split("-");
    const [ours, reached] = this.offset.split("-");
    // An answer that is repeated carries the offset of now; an older one must not take the session back.
    if (epoch !== ours || Number(number) > Number(reached)) this.offset = offset;
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
