// What a client says and hears, without a socket: messages in, messages out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../nginx/static/client.js";
import { Conversation, PrimesError } from "../../nginx/static/conversation.js";

const RESULT = { verdict: "prime", proven: true, method: "BPSW", queue_ms: 1, compute_ms: 0.1 };
const SESSION = { session: "token", offset: "0", expires_in: 600, instance: "web0" };

/** A conversation with all that it tells, and the answers by number. */
class Talk {
  told = [];
  answers = [];

  constructor(options = {}) {
    this.conversation = new Conversation({ prefix: "t", tell: (notice) => this.told.push(notice), ...options });
  }

  ask(number, tell) {
    return this.conversation.ask("is_prime", { number }, (answer) => this.answers.push([number, answer]), tell);
  }

  connect(session = SESSION) {
    this.conversation.begin();
    return this.hear({ method: "session", params: session });
  }

  hear(message, now = 0) {
    return this.conversation.hear(JSON.stringify({ jsonrpc: "2.0", ...message }), now);
  }

  answer(id, offset, verdict = "prime") {
    return this.hear({ id, result: { ...RESULT, verdict, offset } });
  }

  refuse(id, code, data = {}) {
    return this.hear({ id, error: { code: -32000, message: code, data: { code, retryable: false, ...data } } });
  }

  /** What is sent now, in short. */
  take(now = 0) {
    return this.conversation.take(now).map((text) => {
      const { id, method, params } = JSON.parse(text);
      return `${method} ${id} ${params.number ?? params.request ?? params.offset}`;
    });
  }
}

test("nothing is said before the server has told the session", () => {
  const talk = new Talk();
  talk.ask("97");
  assert.deepEqual(talk.take(), []);
  talk.conversation.begin();
  assert.deepEqual(talk.take(), []);
  talk.hear({ method: "session", params: SESSION });
  assert.deepEqual(talk.take(), ["is_prime t-1 97"]);
  assert.deepEqual(talk.told, [{ type: "session", instance: "web0", recovered: undefined }]);
});

test("answers come in any order, each to its question, and say which instance gave them", () => {
  const talk = new Talk();
  const ids = ["97", "91"].map((number) => talk.ask(number));
  talk.connect();
  talk.take();
  talk.answer(ids[1], "5-1", "composite");
  talk.answer(ids[0], "5-2");
  assert.deepEqual(talk.answers.map(([number, { verdict, instance }]) => [number, verdict, instance]), [["91", "composite", "web0"], ["97", "prime", "web0"]]);
  assert.equal(talk.conversation.offset, "5-2");
  assert.equal(talk.conversation.open, 0);
});

test("an array is as many answers", () => {
  const talk = new Talk();
  const ids = ["2", "3"].map((number) => talk.ask(number));
  talk.connect();
  talk.take();
  talk.conversation.hear(JSON.stringify(ids.map((id, index) => ({ jsonrpc: "2.0", id, result: { ...RESULT, offset: `5-${index + 1}` } }))), 0);
  assert.equal(talk.answers.length, 2);
});

test("a second answer to a question is not shown", () => {
  const talk = new Talk();
  const id = talk.ask("97");
  talk.connect();
  talk.take();
  talk.answer(id, "5-1");
  talk.answer(id, "5-1");
  talk.answer("of nobody", "5-2");
  assert.equal(talk.answers.length, 1);
});

test("an older offset does not take the session back, one of another epoch counts", () => {
  const talk = new Talk();
  talk.connect();
  for (const [offset, kept] of [["5-2", "5-2"], ["5-10", "5-10"], ["5-9", "5-10"], ["6-1", "6-1"]]) {
    talk.answer("x", offset);
    assert.equal(talk.conversation.offset, kept);
  }
});

test("after a loss the session is resumed first, then all is asked again that has no answer", () => {
  const talk = new Talk();
  const ids = ["2", "3", "4"].map((number) => talk.ask(number));
  talk.connect();
  talk.take();
  talk.answer(ids[0], "5-1");
  talk.conversation.end(1006);
  talk.ask("5");
  talk.connect({ ...SESSION, session: "another" });
  assert.deepEqual(talk.take(), ["resume resume 5-1"]);
  talk.hear({ id: "resume", result: { ...SESSION, instance: "web3", offset: "5-1", recovered: true, pending: [ids[1]] } });
  assert.equal(talk.conversation.session, "token");
  assert.deepEqual(talk.take(), ["is_prime t-2 3", "is_prime t-3 4", "is_prime t-4 5"]);
  talk.answer(ids[1], "5-2");
  assert.equal(talk.answers[1][1].instance, "web3");
});

test("a session that cannot be resumed now is resumed over another socket, not given up", () => {
  const talk = new Talk();
  talk.ask("97");
  talk.connect();
  talk.take();
  talk.conversation.end(1006);
  talk.connect({ ...SESSION, session: "another" });
  talk.take();
  assert.equal(talk.refuse("resume", "unavailable", { retryable: true, retry_after: 1 }), false);
  assert.equal(talk.conversation.session, "token");
});

test("a session that another socket has taken is not come back with", () => {
  const talk = new Talk();
  talk.ask("97");
  talk.connect();
  talk.answer("x", "5-1");
  talk.conversation.end(4001);
  talk.connect({ ...SESSION, session: "another" });
  assert.deepEqual(talk.take(), ["is_prime t-1 97"]);
  assert.equal(talk.conversation.session, "another");
});

test("when Redis lost its data, all is asked again that has no answer", () => {
  const talk = new Talk();
  talk.ask("97");
  talk.connect();
  assert.deepEqual(talk.take(), ["is_prime t-1 97"]);
  talk.hear({ method: "session", params: { ...SESSION, recovered: false } });
  assert.deepEqual(talk.take(), ["is_prime t-1 97"]);
  assert.equal(talk.told.at(-1).recovered, false);
});

test("a client goes on behind an answer that is withheld from it", () => {
  const talk = new Talk();
  talk.ask("97");
  talk.connect();
  talk.take();
  talk.hear({ method: "session", params: { ...SESSION, offset: "9-4" } });
  assert.equal(talk.conversation.offset, "9-4");
  talk.hear({ method: "session", params: { ...SESSION, offset: "9-3" } });
  assert.equal(talk.conversation.offset, "9-4");
  assert.deepEqual(talk.take(), []);
});

test("a client that comes after another goes on with its session and its questions", () => {
  const talk = new Talk({ saved: { session: "token", offset: "5-7" } });
  talk.conversation.ask("is_prime", { number: "97" }, (answer) => talk.answers.push(answer), undefined, "former-1");
  talk.connect({ ...SESSION, session: "another" });
  assert.deepEqual(talk.take(), ["resume resume 5-7"]);
  talk.hear({ id: "resume", result: { ...SESSION, offset: "5-7", recovered: true, pending: [] } });
  assert.deepEqual(talk.take(), ["is_prime former-1 97"]);
});

test("no more than the window is with the server at once", () => {
  const talk = new Talk({ window: 2 });
  const ids = ["2", "3", "4", "5"].map((number) => talk.ask(number));
  talk.connect();
  assert.deepEqual(talk.take(), ["is_prime t-1 2", "is_prime t-2 3"]);
  assert.deepEqual(talk.take(), []);
  talk.answer(ids[1], "5-1");
  assert.deepEqual(talk.take(), ["is_prime t-3 4"]);
  assert.equal(talk.conversation.asked, 2);
});

test("questions are bounded", () => {
  const talk = new Talk();
  for (let made = 0; made < 10_000; made += 1) talk.ask("97");
  assert.throws(() => talk.ask("97"), { name: "PrimesError", code: "busy" });
});

test("what JSON cannot say is refused and named", () => {
  const talk = new Talk();
  for (const deadline of [NaN, Infinity, -Infinity, 5n, {}]) {
    const message = `Expected a deadline in seconds, above 0 and up to 3,600, got ${deadline}`;
    assert.throws(() => talk.conversation.ask("is_prime", { number: "97", deadline }), { code: "invalid_params", message });
  }
  assert.throws(() => talk.conversation.ask("is_prime", { number: "97", proof: 1n }), { code: "invalid_params" });
  assert.throws(() => talk.ask("7\ud800"), { message: "Expected an integer or an expression, got text with half a character, \"\\ud800\"" });
  assert.equal(talk.conversation.open, 0);
});

test("ids that were given long ago are forgotten", () => {
  const talk = new Talk();
  talk.connect();
  const ask = (id) => talk.conversation.ask("is_prime", { number: "97" }, () => {}, undefined, id);
  for (let number = 0; number < 10_001; number += 1) {
    ask(`x${number}`);
    talk.take();
    talk.answer(`x${number}`, `5-${number}`);
  }
  ask("x0");
  assert.throws(() => ask("x1"), { name: "RangeError", message: "Expected an id of its own for each request, got x1 again" });
});

test("a window that nothing fits into is refused", () => {
  for (const window of [0, -1, NaN]) assert.throws(() => new Conversation({ prefix: "t", window }), { name: "RangeError" });
});

test("what is refused for now is asked again, not before its time", () => {
  const talk = new Talk();
  const id = talk.ask("97");
  talk.connect();
  talk.take();
  talk.refuse(id, "busy", { retryable: true, retry_after: 1 });
  assert.deepEqual(talk.take(999), []);
  assert.ok(talk.conversation.due >= 1_000 && talk.conversation.due <= 2_000);
  assert.deepEqual(talk.take(talk.conversation.due), ["is_prime t-1 97"]);
  assert.equal(talk.answers.length, 0);
});

test("what is refused for good fails with its code and sentence", () => {
  const talk = new Talk();
  const id = talk.ask("seven");
  talk.connect();
  talk.take();
  talk.refuse(id, "not_an_integer");
  const [[, error]] = talk.answers;
  assert.ok(error instanceof PrimesError);
  assert.deepEqual([error.code, error.message], ["not_an_integer", "not_an_integer"]);
});

test("a question that was never sent is cancelled at once", () => {
  const talk = new Talk();
  talk.conversation.cancel(talk.ask("97"));
  assert.equal(talk.answers[0][1].code, "cancelled");
  talk.connect();
  assert.deepEqual(talk.take(), []);
});

test("a question with the server is cancelled there, whichever of its two messages comes first", () => {
  for (const errorFirst of [true, false]) {
    const talk = new Talk();
    const id = talk.ask("97");
    talk.connect();
    talk.take();
    talk.conversation.cancel(id);
    talk.conversation.cancel(id);
    assert.deepEqual(talk.take(), ["cancel t-1/cancel t-1"]);
    const messages = [() => talk.refuse(id, "cancelled", { offset: "5-1" }), () => talk.hear({ id: `${id}/cancel`, result: { cancelled: true } })];
    for (const message of errorFirst ? messages : messages.toReversed()) message();
    assert.equal(talk.answers.length, 1);
    assert.equal(talk.answers[0][1].code, "cancelled");
    assert.equal(talk.conversation.asked, 0);
  }
});

test("a cancelled question is cancelled again after a loss, and not asked", () => {
  const talk = new Talk();
  const id = talk.ask("97");
  talk.connect();
  talk.take();
  talk.conversation.end(1006);
  talk.conversation.cancel(id);
  talk.connect();
  talk.hear({ id: "resume", result: { ...SESSION, recovered: false, pending: [] } });
  assert.deepEqual(talk.take().slice(1), ["cancel t-1/cancel t-1"]);
  talk.hear({ id: `${id}/cancel`, result: { cancelled: false } });
  assert.equal(talk.answers[0][1].code, "cancelled");
});

test("a verdict before the proof is told once, progress each time", () => {
  const talk = new Talk();
  const told = [];
  const id = talk.ask("97", (notice) => told.push(`${notice.type} ${notice.verdict}`));
  talk.connect();
  talk.take();
  for (const _ of [1, 2]) talk.hear({ method: "verdict", params: { id, verdict: "probably_prime", proven: false, method: "BPSW" } });
  for (const _ of [1, 2]) talk.hear({ method: "progress", params: { jobs: [{ id, state: "running", seconds: 2, verdict: "probably_prime" }, { id: "x", state: "queued" }] } });
  talk.answer(id, "5-1");
  assert.deepEqual(told, ["verdict probably_prime", ...Array(2).fill("progress probably_prime")]);
});

test("the end of an instance is told, and what no server says closes the socket", () => {
  const talk = new Talk();
  talk.connect();
  talk.hear({ method: "going_away", params: { reconnect_after: 0.7 } });
  assert.deepEqual(talk.told.at(-1), { type: "leaving", seconds: 0.7 });
  assert.equal(talk.hear({ method: "something_new", params: {} }), true);
  assert.equal(talk.conversation.hear("{", 0), false);
  assert.equal(talk.told.at(-1).type, "fault");
});

test("a probe asks for a sign of life and is nobody's answer", () => {
  const talk = new Talk();
  talk.ask("97");
  talk.connect();
  talk.take();
  talk.conversation.probe();
  assert.deepEqual(talk.take(), ["cancel probe probe"]);
  talk.hear({ id: "probe", result: { cancelled: false } });
  assert.equal(talk.conversation.open, 1);
});

test("a conversation that is closed fails what is open", () => {
  const talk = new Talk();
  talk.ask("97");
  talk.conversation.close();
  assert.equal(talk.answers[0][1].code, "closed");
});

/** A socket that never opens: what it would send is not looked at. */
class Shut extends EventTarget {
  readyState = 0;

  close() {}
}

test("a client refuses what would be asked otherwise than it was given, and what no server reads", async () => {
  const client = new Client("ws://localhost/chatsocket", { WebSocket: Shut });
  for (const number of [1e21, 2 ** 53, 0.5, NaN, Infinity]) await assert.rejects(client.ask(number), { code: "not_an_integer" }, String(number));
  for (const deadline of [0, NaN, Infinity, -1]) await assert.rejects(client.ask("97", { deadline }), { code: "invalid_params" }, String(deadline));
  await assert.rejects(client.ask("7\udfff"), { code: "not_an_integer" });
  assert.equal(client.open, 0);
  const asked = client.ask(97, { deadline: 5 });
  assert.equal(client.open, 1);
  client.close();
  await assert.rejects(asked, { code: "closed" });
});

/** A socket that is open, with what was sent over it. */
class Open extends EventTarget {
  static last;
  readyState = 1;
  sent = [];

  constructor() {
    super();
    Open.last = this;
  }

  open() {
    this.dispatchEvent(new Event("open"));
    this.hear({ method: "session", params: SESSION });
  }

  hear(message) {
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify({ jsonrpc: "2.0", ...message }) }));
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {}
}

test("factors are asked for as everything else is, and come with their answer", async () => {
  const client = new Client("ws://localhost/chatsocket", { WebSocket: Open });
  const told = [];
  const asked = client.factor("91", { id: "a", deadline: 5, onProgress: (progress) => told.push(progress.state) });
  const abort = new AbortController();
  const cancelled = client.factor(91n, { id: "b", signal: abort.signal });
  await assert.rejects(client.factor("91", { deadline: 0 }), { code: "invalid_params" });
  Open.last.open();
  assert.deepEqual(Open.last.sent.map(({ id, method, params }) => [id, method, params]), [
    ["a", "factor", { number: "91", deadline: 5 }],
    ["b", "factor", { number: "91" }],
  ]);
  abort.abort();
  assert.deepEqual(Open.last.sent.at(-1).params, { request: "b" });
  Open.last.hear({ method: "progress", params: { jobs: [{ id: "a", state: "running", seconds: 2.5 }] } });
  const factors = [{ factor: "7", multiplicity: 1, verdict: "prime" }, { factor: "13", multiplicity: 1, verdict: "prime" }];
  Open.last.hear({ id: "a", result: { ...RESULT, verdict: "composite", factors, complete: true, offset: "5-1" } });
  Open.last.hear({ id: "b", error: { code: -32006, message: "cancelled", data: { code: "cancelled", retryable: false } } });
  assert.deepEqual(await asked, { ...RESULT, verdict: "composite", factors, complete: true, offset: "5-1", instance: "web0" });
  await assert.rejects(cancelled, { code: "cancelled" });
  assert.deepEqual(told, ["running"]);
  client.close();
});
