// The reference client of primes.v1, for browsers and Node: every question is answered once, over however many connections.
// docs/clients.md tells how to use it, docs/protocol-v1.md what it speaks.

import { Conversation, PrimesError } from "./conversation.js";

export { PrimesError };

const SUBPROTOCOL = "primes.v1";
const FIRST_WAIT = 500; // ms before the first attempt to reconnect, at most; doubled with each that fails
const LONGEST_WAIT = 30_000; // ms, a guess at what a person bears
const STABLE = 10_000; // ms that a connection without an answer must have lasted to count as a success
const OPENING = 15_000; // ms until an attempt to connect and resume counts as failed
const SILENCE = 20_000; // ms without a message, while something is asked, until the server is asked whether it is there
const LEFT_AT_ONCE = 1012; // close code of a server that spread its clients over time itself

/**
 * Asks over one WebSocket at a time, comes back when it ends, and goes on with what is open: connecting costs the caller nothing.
 *
 * Events: "state" when `state` has changed; "session" when `saved` has; "fault" ({detail: message}) when the server said what no
 * server should. `ask` promises an answer and keeps it through outages of any length: its caller's signal ends the patience.
 */
export class Client extends EventTarget {
  #url;
  #WebSocket;
  #conversation;
  #socket;
  #timers = {}; // by purpose
  #failures = 0;
  #state = { name: "connecting" };

  /**
   * @param {string} url ws://HOST/chatsocket
   * @param {object} [options]
   * @param {typeof WebSocket} [options.WebSocket] for a Node that has none of its own
   * @param {number} [options.window] requests with the server at once; it refuses more than 256
   * @param {{session: string, offset: string}} [options.saved] `saved` of a former client whose session to go on with
   */
  constructor(url, { WebSocket = globalThis.WebSocket, window = 200, saved } = {}) {
    super();
    if (!WebSocket) throw new TypeError("Expected a WebSocket class: globalThis has none, pass {WebSocket}");
    this.#url = url;
    this.#WebSocket = WebSocket;
    const prefix = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(36)).join("");
    this.#conversation = new Conversation({ prefix, window, saved, tell: (notice) => this.#hearNotice(notice) });
    this.#connect();
  }

  /** {name, instance}, where name is "connecting", "connected", "leaving" (moves soon), "waiting" ({until}: ms, as Date.now) or "closed". */
  get state() {
    return this.#state;
  }

  /** Session and offset: a later client that is given them gets the answers that this one missed, for ten minutes. */
  get saved() {
    const { session, offset } = this.#conversation;
    return session && { session, offset };
  }

  /** How many questions have no answer. */
  get open() {
    return this.#conversation.open;
  }

  /**
   * Ask whether a number, a string (an integer or an expression), is prime.
   *
   * @param {string|bigint} number
   * @param {object} [options]
   * @param {boolean} [options.proof] the verdict "probably_prime" is not enough
   * @param {boolean} [options.certificate] the same, and a certificate for small primes too
   * @param {number} [options.deadline] seconds that the answer is wanted for
   * @param {AbortSignal} [options.signal] cancels the computation
   * @param {(told: object) => void} [options.onProgress] state ("queued" or "running"), depth, seconds
   * @param {(told: object) => void} [options.onVerdict] what is known before the proof
   * @param {string} [options.id] of the request: for one that a former client made, see `saved`
   * @returns {Promise<object>} the result as in the protocol, and `instance`; rejected with a PrimesError
   */
  ask(number, options) {
    return this.#ask("is_prime", number, options);
  }

  /** Ask for the least prime above a number, in the answer's `number`. Options as for `ask`. */
  next(number, options) {
    return this.#ask("next_prime", number, options);
  }

  /** Ask for the greatest prime below a number, in the answer's `number`: none for 2 and less. */
  previous(number, options) {
    return this.#ask("previous_prime", number, options);
  }

  /**
   * Ask what divides a number, in the answer's `factors`, `cofactor` and `complete`, as far as a bounded search finds it. Options as for `ask`,
   * but for `proof` and `certificate`: nothing is proven of factors.
   */
  factor(number, options) {
    return this.#ask("factor", number, options);
  }

  /** Connect now instead of waiting; over another socket if there is one, which a network that changed may have killed silently. */
  reconnect() {
    if (this.#state.name === "closed") return;
    this.#drop();
    this.#connect();
  }

  /** Ask nothing more. Questions without an answer fail with `closed`; the server keeps their answers for ten minutes. */
  close() {
    this.#drop();
    this.#setState({ name: "closed" });
    this.#conversation.close();
  }

  #ask(method, number, { signal, onProgress, onVerdict, id, proof, certificate, deadline } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#state.name === "closed") throw new PrimesError("closed", "The client is closed");
      if (signal?.aborted) throw new PrimesError("cancelled", "The client cancelled the job");
      if (typeof number === "number" && !Number.isSafeInteger(number)) {
        throw new PrimesError("not_an_integer", `Expected a string, a BigInt or a number that is a safe integer, got ${number}`);
      }
      const params = { number: String(number), ...(proof && { proof }), ...(certificate && { certificate }), ...(deadline != null && { deadline }) };
      const tell = (told) => (told.type === "verdict" ? onVerdict : onProgress)?.(told);
      const settle = (answer) => {
        signal?.removeEventListener("abort", cancel);
        if (answer instanceof PrimesError) reject(answer);
        else resolve(answer);
      };
      const request = this.#conversation.ask(method, params, settle, tell, id);
      const cancel = () => {
        this.#conversation.cancel(request);
        this.#send();
      };
      signal?.addEventListener("abort", cancel);
      this.#send();
    });
  }

  #connect() {
    const socket = new this.#WebSocket(this.#url, [SUBPROTOCOL]);
    this.#socket = socket;
    this.#setState({ name: "connecting" });
    const opening = setTimeout(() => this.#lose(socket), OPENING);
    this.#timers.opening = opening;
    // A socket that was left says nothing more, whatever still comes over it.
    const when = (name, hear) => socket.addEventListener(name, (event) => socket === this.#socket && hear(event));
    when("open", () => this.#conversation.begin());
    when("message", ({ data }) => this.#hear(socket, data));
    when("close", ({ code }) => this.#lose(socket, code));
    when("error", () => this.#lose(socket)); // Node's own says no more than this when it cannot connect
  }

  #hear(socket, data) {
    const offset = this.#conversation.offset;
    if (!this.#conversation.hear(data, performance.now())) return this.#lose(socket);
    if (this.#conversation.offset !== offset) {
      this.#failures = 0; // it was worth coming: a network that breaks often is no server that refuses
      this.dispatchEvent(new Event("session"));
    }
    this.#send();
  }

  #hearNotice(notice) {
    if (notice.type === "fault") this.dispatchEvent(new CustomEvent("fault", { detail: notice.message }));
    else if (notice.type === "leaving") this.#setState({ ...this.#state, name: "leaving" });
    else {
      clearTimeout(this.#timers.opening);
      this.#timers.stable = setTimeout(() => (this.#failures = 0), STABLE);
      this.#setState({ name: "connected", instance: notice.instance, recovered: notice.recovered });
      this.dispatchEvent(new Event("session"));
    }
  }

  /** Say what there is to say now; come back for what must not be said yet. */
  #send() {
    const now = performance.now();
    if (this.#socket?.readyState !== 1) return; // OPEN
    for (const message of this.#conversation.take(now)) this.#socket.send(message);
    clearTimeout(this.#timers.due);
    clearTimeout(this.#timers.silence);
    const { due, open } = this.#conversation;
    if (Number.isFinite(due)) this.#timers.due = setTimeout(() => this.#send(), due - now);
    if (open) this.#timers.silence = setTimeout(() => this.#probe(), SILENCE);
  }

  /** A socket whose network is gone looks open for many minutes. */
  #probe() {
    this.#conversation.probe();
    for (const message of this.#conversation.take(performance.now())) this.#socket.send(message);
    const socket = this.#socket;
    this.#timers.silence = setTimeout(() => this.#lose(socket), OPENING);
  }

  /** The socket has ended, or is as good as ended. */
  #lose(socket, code) {
    if (socket !== this.#socket) return;
    this.#drop(code);
    // Full jitter: at random up to the bound, so that clients that lost the same server do not come back in the same moment.
    // At once the first time only: who is always sent away so would come back without a pause.
    const bound = code === LEFT_AT_ONCE && !this.#failures ? 0 : Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures);
    const wait = Math.random() * bound;
    this.#failures += 1;
    this.#timers.waiting = setTimeout(() => this.#connect(), wait);
    this.#setState({ name: "waiting", until: Date.now() + wait });
  }

  #drop(code) {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket && socket.readyState < 2) socket.close(); // CONNECTING or OPEN
    this.#conversation.end(code);
  }

  #setState(state) {
    this.#state = Object.freeze(state);
    this.dispatchEvent(new Event("state"));
  }
}
