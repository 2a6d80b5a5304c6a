// What a server of primes.v1 says, read whole or refused: no message that lacks what the protocol says it has goes any further.

// "0" in the beginning, then an epoch and an answer's number in it. Twenty digits are more than 64 bits need.
const OFFSET = /^[0-9]{1,20}(?:-[0-9]{1,20})?$/;

/** The text is no message of primes.v1. */
export class Malformed extends Error {
  name = "Malformed";
}

/**
 * The message of a text, or those of a batch, one by one: {kind, ...}, where kind is "session", "going_away", "verdict", "progress", "new"
 * (a notification that is not known here), "result" or "refusal". Throws Malformed when it comes to one that is none.
 */
export function* read(text) {
  const message = parse(text);
  for (const one of Array.isArray(message) && message.length ? message : [message]) {
    expect(isObject(one), "an object");
    yield has(one, "method") ? readNotice(one) : readResponse(one);
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Malformed("Expected JSON");
  }
}

function readNotice(message) {
  const method = string(message, "method");
  if (!["session", "going_away", "verdict", "progress"].includes(method)) return { kind: "new" };
  const params = object(message, "params");
  if (method === "session") return readSession(params, has(params, "recovered") ? boolean(params, "recovered") : undefined);
  if (method === "going_away") return { kind: method, seconds: amount(params, "reconnect_after") };
  if (method === "verdict") {
    idOf(params);
    string(params, "verdict");
    boolean(params, "proven");
    string(params, "method");
    return { kind: method, params };
  }
  return { kind: method, jobs: array(params, "jobs").map(readJob) };
}

function readJob(job) {
  expect(isObject(job), "an object");
  idOf(job);
  string(job, "state");
  optionalAmount(job, "seconds");
  optionalAmount(job, "depth");
  return job;
}

function readResponse(message) {
  expect(has(message, "result") !== has(message, "error"), "a result or an error");
  if (has(message, "result")) {
    const fields = object(message, "result");
    return { kind: "result", id: idOf(message), fields, offset: optionalOffset(fields) };
  }
  const error = object(message, "error");
  const data = object(error, "data");
  return {
    kind: "refusal",
    id: message.id === null ? null : idOf(message), // null: of something that could not be read
    code: string(data, "code"),
    message: string(error, "message"),
    retryable: boolean(data, "retryable"),
    retryAfter: optionalAmount(data, "retry_after"),
    fields: data,
    offset: optionalOffset(data),
  };
}

/** A session begins, or goes on: `recovered` is false when answers of the past are gone, undefined in the beginning. */
function readSession(fields, recovered) {
  return { kind: "session", session: string(fields, "session"), offset: offsetOf(fields), instance: string(fields, "instance"), recovered };
}

/** The result of `resume`. Throws Malformed. */
export function readResumed(fields) {
  return readSession(fields, boolean(fields, "recovered"));
}

/** The result of `cancel`. Throws Malformed. */
export function readCancelled(fields) {
  return boolean(fields, "cancelled");
}

/** The result of a question, with all that came. Throws Malformed. */
export function readFound(fields) {
  string(fields, "verdict");
  boolean(fields, "proven");
  string(fields, "method");
  amount(fields, "queue_ms");
  amount(fields, "compute_ms");
  if (has(fields, "evidence")) object(fields, "evidence");
  if (has(fields, "number")) string(fields, "number");
  if (has(fields, "digits")) expect(Number.isInteger(amount(fields, "digits")), "a whole number as digits");
  if (has(fields, "value")) string(fields, "value");
  return fields;
}

const has = Object.hasOwn;

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function expect(holds, what) {
  if (!holds) throw new Malformed(`Expected ${what}`);
}

/** A field of an object that came; what every object inherits is none. */
function field(fields, name) {
  return has(fields, name) ? fields[name] : undefined;
}

function object(fields, name) {
  const value = field(fields, name);
  expect(isObject(value), `an object as ${name}`);
  return value;
}

function array(fields, name) {
  const value = field(fields, name);
  expect(Array.isArray(value), `an array as ${name}`);
  return value;
}

function string(fields, name) {
  const value = field(fields, name);
  expect(typeof value === "string", `a string as ${name}`);
  return value;
}

function boolean(fields, name) {
  const value = field(fields, name);
  expect(typeof value === "boolean", `true or false as ${name}`);
  return value;
}

function amount(fields, name) {
  const value = field(fields, name);
  expect(Number.isFinite(value) && value >= 0, `a number from 0 on as ${name}`);
  return value;
}

function optionalAmount(fields, name) {
  return has(fields, name) ? amount(fields, name) : undefined;
}

function offsetOf(fields) {
  const value = string(fields, "offset");
  expect(OFFSET.test(value), "an offset such as 0 or 1795454158536-1");
  return value;
}

function optionalOffset(fields) {
  return has(fields, "offset") ? offsetOf(fields) : undefined;
}

function idOf(fields) {
  const id = field(fields, "id");
  expect(typeof id === "string" || Number.isFinite(id), "a string or a number as id");
  return id;
}
