// What the page's modules make of a text, of an answer and of a transcript, in the words of tests/conformance.

import { check } from "../../nginx/static/check.js";
import { Conversation, PrimesError } from "../../nginx/static/conversation.js";
import { evaluate } from "../../nginx/static/expression.js";

/** The value in decimal, or null where the text is refused. */
export function evaluateText(text) {
  try {
    return evaluate(text).toString();
  } catch (error) {
    if (error.name === "NotANumber") return null;
    throw error;
  }
}

/** The outcome for an answer with its evidence. */
export function judge({ number, verdict, evidence, digits, value, factoring, certificate }) {
  return check({ number, verdict, evidence, digits, value, factoring }, certificate).outcome;
}

/** What is seen after each step of a transcript. */
export function play(steps) {
  const talk = new Talk();
  return steps.map((step) => talk.take(step));
}

/** A conversation, its events and what it sends, step by step. Times are in seconds, as the tables have them. */
class Talk {
  #events = [];
  #conversation = new Conversation({ prefix: "t", tell: (notice) => this.#hearNotice(notice) });

  take(step) {
    this.#events = [];
    this.#act(step);
    const { session, offset, open } = this.#conversation;
    const sent = this.#conversation.take((step.at ?? 0) * 1000).map(shorten);
    return { events: this.#events, sent, offset: session === undefined ? null : offset, open };
  }

  #act({ ask, times = 1, deadline, id, begin, end, cancel, hear }) {
    if (ask !== undefined) this.#ask({ number: ask.repeat(times), ...(deadline !== undefined && { deadline }) }, id);
    if (begin) this.#conversation.begin();
    if (end) this.#conversation.end(end);
    if (cancel !== undefined) this.#conversation.cancel(cancel);
    if (hear === undefined) return;
    const goesOn = this.#conversation.hear(typeof hear === "string" ? hear : JSON.stringify(hear), 0);
    if (!goesOn) this.#events.push("leave");
  }

  #ask(params, former) {
    try {
      const settle = (answer) => this.#events.push(describe(id, answer));
      const id = this.#conversation.ask("is_prime", params, settle, (told) => this.#events.push(tell(told)), former);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof PrimesError)) throw error;
      this.#events.push({ refused: error.code ?? "id" });
    }
  }

  #hearNotice(notice) {
    if (notice.type === "session") this.#events.push({ joined: notice.instance, recovered: notice.recovered ?? null });
    if (notice.type === "leaving") this.#events.push({ leaving: notice.seconds });
  }
}

function shorten(text) {
  const { id, method, params } = JSON.parse(text);
  return `${method} ${id} ${params.number ?? params.request ?? params.offset}`;
}

function describe(id, answer) {
  if (answer instanceof Error) return { failure: id, code: answer.code };
  const { verdict, proven, method, queue_ms, compute_ms, evidence = {}, number = null, instance, digits, value } = answer;
  const said = { ...(digits !== undefined && { digits }), ...(value !== undefined && { value }) };
  return { answer: id, verdict, proven, method, queue_ms, compute_ms, evidence, number, instance, ...said };
}

function tell({ type, id, verdict, proven, method, state, seconds = null, depth = null }) {
  return type === "verdict" ? { verdict: id, is: verdict, proven, method } : { progress: id, state, seconds, depth };
}
