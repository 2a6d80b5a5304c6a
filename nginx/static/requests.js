// What a client of primes.v1 asks, as text; what no server could read is refused here, before it costs a connection.

const LARGEST = 2 * 2 ** 20; // bytes of a message: over a larger one the server closes the socket
const LONGEST_DEADLINE = 3_600; // s
const LONGEST_ID = 128; // bytes as JSON
const HALF = /\p{Surrogate}/u; // of a character

export const RESUME = "resume"; // id
export const PROBE = "probe"; // id of a request for a sign of life
export const CANCEL = "/cancel"; // the end of the ids of cancellations
export const CHECK = "/check"; // the end of the ids of checks, see suspects.js

/** A request that failed for good, or was cancelled; `code` is for programs, as in the protocol. */
export class PrimesError extends Error {
  name = "PrimesError";

  constructor(code, message, data = {}) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** The message of a question. Throws a PrimesError where no server takes its params, or no JSON can say them. */
export function write(id, method, params) {
  const { number, deadline } = params;
  if (HALF.test(number)) {
    const half = JSON.stringify(HALF.exec(number)[0]);
    throw new PrimesError("not_an_integer", `Expected an integer or an expression, got text with half a character, ${half}`);
  }
  if (deadline !== undefined && !(typeof deadline === "number" && deadline > 0 && deadline <= LONGEST_DEADLINE)) {
    const expected = `Expected a deadline in seconds, above 0 and up to ${LONGEST_DEADLINE.toLocaleString("en")}`;
    throw new PrimesError("invalid_params", `${expected}, got ${String(deadline)}`);
  }
  let text;
  try {
    text = JSON.stringify({ jsonrpc: "2.0", id, method, params });
  } catch (error) {
    throw new PrimesError("invalid_params", `Expected params that JSON can say: ${error.message}`);
  }
  const size = sizeOf(text);
  if (size > LARGEST) throw new PrimesError("too_large", `Expected a question of at most ${LARGEST.toLocaleString("en")} bytes, got ${size.toLocaleString("en")}`);
  return text;
}

/** Throws a RangeError for an id that the server would not read, or that this client says other things with. */
export function checkId(id) {
  if (typeof id !== "string" || HALF.test(id)) throw new RangeError(`Expected an id of whole characters, got ${JSON.stringify(id)}`);
  const size = sizeOf(JSON.stringify(id));
  const most = LONGEST_ID - CANCEL.length;
  if (size > most) throw new RangeError(`Expected an id of at most ${most} bytes as JSON, got ${size}`);
  if (id === RESUME || id === PROBE || id.endsWith(CANCEL) || id.endsWith(CHECK)) {
    throw new RangeError(`Expected an id that is none of the client's own, got ${id}`);
  }
}

function sizeOf(text) {
  return new TextEncoder().encode(text).length;
}
