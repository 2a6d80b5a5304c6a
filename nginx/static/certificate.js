// A primality certificate, and the readers of the two texts that it is written in: Primo's (format 4) and PARI's. What is read has
// the right form; whether it proves anything is for verify.js to say. Takes and refuses what the package certificates in Python does.

const MOST_CHARACTERS = 64 * 2 ** 20; // of a text
const MOST_DIGITS = 50_000; // of one number
const MOST_STEPS = 10_000;
const MOST_DEPTH = 100; // of N-1 certificates within each other
const SHOWN = 40; // characters of a text that an error quotes

const TITLE = "[PRIMO - Primality Certificate]";

/** The text is no certificate; the message says where, what came, and what was expected. */
export class Malformed extends Error {
  name = "Malformed";
}

/**
 * The certificate that the text holds: {n, steps} for elliptic curves, each step {n, t, s, curve} leading to the number
 * (n + 1 - t) / s, without a step if n is small itself; {n, factors} for N-1, each factor {p, base, certificate}, the last two
 * for a large one alone; {n, minus, plus} for factors of N+1, with those of N-1 where there are any. A curve is {a, x, y}, {j, t} or {a, b, t}. All numbers are BigInts. Throws Malformed.
 */
export function read(text) {
  if (text.length > MOST_CHARACTERS) throw new Malformed(`expected at most ${MOST_CHARACTERS} characters, got ${text.length}`);
  const strange = /[^\0-\x7f]/.exec(text);
  if (strange) throw new Malformed(`character ${strange.index}: expected ASCII, got ${strange[0]}`);
  // oxlint-disable-next-line no-control-regex -- Python takes them for white space
  return /^[\s\x1c-\x1f]*\[PRIMO/.test(text) ? readPrimo(text) : readPari(text);
}

function readPrimo(text) {
  const lines = new Lines(text);
  lines.title(TITLE);
  if (lines.value("Format") !== "4") lines.fail("Format=4");
  const count = lines.count("TestCount");
  lines.skipComments();
  lines.title("[Candidate]");
  const first = lines.integer("N");
  const steps = [];
  for (let n = first; steps.length < count; ) {
    const step = readStep(lines, steps.length + 1, n);
    steps.push(step);
    n = (n + 1n - step.t) / step.s; // whether it divides is for the verifier to say
  }
  lines.end(count);
  return { n: first, steps };
}

function readStep(lines, number, n) {
  lines.title(`[${number}]`);
  const s = lines.integer("S");
  if (s < 1n) lines.fail("S above 0");
  const t = lines.integer("W");
  if (lines.nextIs("J")) return { n, t, s, curve: { j: lines.integer("J"), t: lines.integer("T") } };
  return { n, t, s, curve: { a: lines.integer("A", "J= or A="), b: lines.integer("B"), t: lines.integer("T") } };
}

/** Hands out the lines that are not empty, one by one. */
class Lines {
  #lines;
  #at = 0; // the next line

  constructor(text) {
    this.#lines = text
      .split("\n")
      .map((line, index) => ({ number: index + 1, text: line.replace(/[ \t\r]+$/, "") }))
      .filter((line) => line.text);
  }

  #next(expected) {
    if (this.#at === this.#lines.length) throw new Malformed(`end of the text: expected ${expected}`);
    this.#at += 1;
    return this.#lines[this.#at - 1].text;
  }

  /** Of the line that was handed out last. */
  fail(expected) {
    const { number, text } = this.#lines[this.#at - 1];
    throw new Malformed(`line ${number}: expected ${expected}, got ${quote(text)}`);
  }

  title(title) {
    if (this.#next(title) !== title) this.fail(title);
  }

  nextIs(name) {
    return this.#lines[this.#at]?.text.startsWith(`${name}=`) ?? false;
  }

  value(name, expected = `${name}=`) {
    const line = this.#next(expected);
    if (!line.startsWith(`${name}=`)) this.fail(expected);
    return line.slice(name.length + 1);
  }

  count(name) {
    const value = this.value(name);
    if (!/^[0-9]{1,9}$/.test(value) || Number(value) > MOST_STEPS) this.fail(`${name}= and a number up to ${MOST_STEPS}`);
    return Number(value);
  }

  integer(name, expected) {
    const value = this.value(name, expected);
    if (value.length > MOST_DIGITS) this.fail(`${name}= and at most ${MOST_DIGITS} characters`);
    const [, sign, digits] = /^(-?)0x([0-9A-Fa-f]+)$/.exec(value) ?? this.fail(`${name}= and a hexadecimal number such as 0x1F or -0x1F`);
    return sign ? -BigInt(`0x${digits}`) : BigInt(`0x${digits}`);
  }

  skipComments() {
    if (this.#lines[this.#at]?.text !== "[Comments]") return;
    while (this.#at < this.#lines.length && this.#lines[this.#at].text !== "[Candidate]") this.#at += 1;
  }

  end(count) {
    if (this.#at === this.#lines.length) return;
    this.#at += 1;
    this.fail(`the end of the text after ${count} steps (TestCount)`);
  }
}

// PARI's text, as it prints a vector: for elliptic curves [[N, t, s, a, [x, y]], …]; for N-1 [N, [p, …, [p, base, [N, […]]], …]];
// for a number below 2^64 that number alone. What PARI does not write: for N+1 [N, [], [q, …]], for both [N, [p, …], [q, …]].

function readPari(text) {
  const vector = new Vector(text);
  let certificate;
  if (vector.next !== "[") certificate = { n: vector.integer("[ or a number"), steps: [] };
  else if (vector.second === "[") {
    const steps = vector.items(() => vector.step());
    certificate = { n: steps[0].n, steps };
  } else certificate = vector.factored();
  vector.end();
  return certificate;
}

/** Reads numbers and nested vectors of them, from left to right. */
class Vector {
  #text;
  #at;
  #count = 0; // items of lists so far, in all

  constructor(text) {
    this.#text = text;
    this.#at = this.#skip(0);
  }

  #skip(at) {
    return this.#match(/[ \t\r\n]*/y, at)[0].length + at;
  }

  #match(pattern, at) {
    pattern.lastIndex = at;
    return pattern.exec(this.#text);
  }

  get next() {
    return this.#text.charAt(this.#at);
  }

  get second() {
    return this.#text.charAt(this.#skip(this.#at + 1));
  }

  fail(expected) {
    const before = this.#text.slice(0, this.#at).split("\n");
    const came = this.#text.slice(this.#at, this.#at + SHOWN + 1);
    const where = `line ${before.length}, column ${before.at(-1).length + 1}`;
    throw new Malformed(`${where}: expected ${expected}, got ${came ? quote(came) : "the end of the text"}`);
  }

  #take(character) {
    if (this.next !== character) this.fail(character);
    this.#at = this.#skip(this.#at + 1);
  }

  integer(expected = "a number") {
    const [digits] = this.#match(/-?[0-9]+/y, this.#at) ?? this.fail(expected);
    if (digits.length > MOST_DIGITS) this.fail(`a number of at most ${MOST_DIGITS} characters`);
    this.#at = this.#skip(this.#at + digits.length);
    return BigInt(digits);
  }

  /** A vector of one such thing or more. */
  items(item) {
    const found = [];
    this.#take("[");
    for (;;) {
      this.#count += 1;
      if (this.#count > MOST_STEPS) this.fail(`at most ${MOST_STEPS} steps or factors`);
      found.push(item());
      if (this.next === "]") {
        this.#take("]");
        return found;
      }
      if (this.next !== ",") this.fail(", or ]");
      this.#take(",");
    }
  }

  step() {
    this.#take("[");
    const [n, t, s, a] = Array.from({ length: 4 }, () => this.#beforeComma());
    this.#take("[");
    const x = this.#beforeComma();
    const y = this.integer();
    this.#take("]");
    this.#take("]");
    return { n, t, s, curve: { a, x, y } };
  }

  #beforeComma() {
    const number = this.integer();
    this.#take(",");
    return number;
  }

  /** A certificate by factors of N-1, of N+1 or of both. */
  factored() {
    this.#take("[");
    const n = this.#beforeComma();
    const minus = this.#factors();
    if (this.next !== ",") {
      if (!minus.length) this.fail(", and factors of N+1");
      this.#take("]");
      return { n, factors: minus };
    }
    this.#take(",");
    if (minus.some(({ certificate }) => certificate)) this.fail("] after factors of N-1 with certificates of their own");
    const plus = this.items(() => this.integer("a factor of N+1"));
    this.#take("]");
    return { n, minus: minus.map(({ p }) => p), plus };
  }

  #factors() {
    if (this.second !== "]") return this.items(() => this.#factor(0));
    this.#take("[");
    this.#take("]");
    return [];
  }

  /** An N-1 certificate, so deep within others. */
  pocklington(depth) {
    if (depth > MOST_DEPTH) this.fail(`at most ${MOST_DEPTH} certificates within each other`);
    this.#take("[");
    const n = this.#beforeComma();
    const factors = this.items(() => this.#factor(depth));
    this.#take("]");
    return { n, factors };
  }

  #factor(depth) {
    if (this.next !== "[") return { p: this.integer("a factor of N-1") };
    this.#take("[");
    const p = this.#beforeComma();
    const base = this.#beforeComma();
    const certificate = this.pocklington(depth + 1);
    this.#take("]");
    return { p, base, certificate };
  }

  end() {
    if (this.next) this.fail("the end of the text");
  }
}

function quote(text) {
  return `'${text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`}'`;
}
