// A primality certificate, and the readers of the texts that it is written in: Primo's (formats 4 and 3), that of
// Math::Prime::Util (MPU) and PARI's. What is read has the right form; whether it proves anything is for verify.js to say. Takes and refuses what the package certificates in Python does.

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
 * The certificate that the text holds: {n, steps, end} for steps, each of which leads to a smaller number, and what proves the last
 * where it is not small; {n, factors} for N-1, each factor {p, base, certificate}, the last two perhaps; {n, minus, plus} for factors
 * of N+1, with those of N-1 where there are any. A step is {n, t, s, curve}, leading to (n + 1 - t) / s, with a curve {a, x, y}, {j, t}
 * or {a, b, t}; {n, s, base}, leading to (n - 1) / s; or {n, s, p, q}, to (n + 1) / s. All numbers are BigInts. Throws Malformed.
 */
export function read(text) {
  if (text.length > MOST_CHARACTERS) throw new Malformed(`expected at most ${MOST_CHARACTERS} characters, got ${text.length}`);
  const strange = /[^\0-\x7f]/.exec(text);
  if (strange) throw new Malformed(`character ${strange.index}: expected ASCII, got ${strange[0]}`);
  // oxlint-disable-next-line no-control-regex -- Python takes them for white space
  const [, form] = /^[\s\x1c-\x1f]*\[(PRIMO|MPU)/.exec(text) ?? [];
  return form === "PRIMO" ? readPrimo(text) : form ? readMpu(text) : readPari(text);
}

/** The number that a step leads to; whether it divides is for the verifier to say. */
export const next = ({ n, t, s, base }) => (t !== undefined ? n + 1n - t : base !== undefined ? n - 1n : n + 1n) / s;

function readPrimo(text) {
  const lines = new Lines(text);
  lines.title(TITLE);
  const { format, count } = readHead(lines);
  lines.skipTo("[Candidate]");
  if (format === "3") return readFormat3(lines);
  const first = readCandidate(lines);
  const steps = [];
  for (let n = first; steps.length < count; n = next(steps.at(-1))) steps.push(readStep(lines, steps.length + 1, n));
  if (!lines.nextIs("[Signature]")) lines.end(`the end of the text after ${count} steps (TestCount)`);
  return { n: first, steps };
}

function readHead(lines) {
  let format;
  let count;
  while (lines.more && !lines.nextIs("[")) {
    if (lines.nextIs("Format=") && format === undefined) {
      format = lines.value("Format=");
      if (format !== "4" && format !== "3") lines.fail("Format=4 or Format=3");
    } else if (lines.nextIs("TestCount=") && count === undefined) {
      count = lines.value("TestCount=");
      if (!/^[0-9]{1,9}$/.test(count) || Number(count) > MOST_STEPS) lines.fail(`TestCount= and a number up to ${MOST_STEPS}`);
    } else if (lines.nextIs("Format=") || lines.nextIs("TestCount=")) lines.failNext("this once");
    else lines.take("[Candidate]");
  }
  if (format === undefined || count === undefined) lines.failNext(format === undefined ? "Format=" : "TestCount=");
  return { format, count: Number(count) };
}

function readCandidate(lines) {
  let n;
  while (lines.more && !lines.nextIs("[")) {
    if (!lines.nextIs("N=")) lines.take("N=");
    else if (n === undefined) n = lines.number("N=");
    else lines.failNext("N= once");
  }
  return n ?? lines.failNext("N=");
}

const lucasP = (q) => (q % 2n ? 2n : 1n); // of the Lucas sequence that Primo names by its Q

function readStep(lines, number, n) {
  lines.title(`[${number}]`);
  const s = lines.number("S=");
  if (s < 1n) lines.fail("S above 0");
  if (lines.nextIs("B=")) return { n, s, base: lines.number("B=") };
  if (lines.nextIs("Q=")) {
    const q = lines.number("Q=");
    return { n, s, p: lucasP(q), q };
  }
  const t = lines.number("W=", "W=, B= or Q=");
  if (lines.nextIs("J=")) return { n, t, s, curve: { j: lines.number("J="), t: lines.number("T=") } };
  return { n, t, s, curve: { a: lines.number("A=", "J= or A="), b: lines.number("B="), t: lines.number("T=") } };
}

/** What follows [Candidate] in Primo's older format. */
function readFormat3(lines) {
  while (!lines.nextIs("N$=") && !lines.nextIs("[")) lines.take("N$=");
  const first = lines.bareNumber("N$=");
  const steps = [];
  for (let n = first; ; n = next(steps.at(-1))) {
    lines.skipTo(`[${steps.length + 1}]`);
    const kind = lines.value("Type=");
    if (kind === "0") return { n: first, steps };
    if (steps.length === MOST_STEPS) lines.fail(`at most ${MOST_STEPS} steps`);
    steps.push(readFormat3Step(lines, kind, n));
  }
}

function readFormat3Step(lines, kind, n) {
  if (!["1", "2", "3", "4"].includes(kind)) lines.fail("Type= and a number from 0 to 4");
  const s = lines.bareNumber("S$=");
  if (s < 1n) lines.fail("S above 0");
  const m = s * lines.bareNumber("R$=");
  if (kind === "1" || kind === "2") {
    if (m !== (kind === "1" ? n - 1n : n + 1n)) lines.fail(`(N ${kind === "1" ? "-" : "+"} 1) / S as R`);
    if (kind === "1") return { n, s, base: lines.bareNumber("B$=") };
    const q = lines.bareNumber("Q$=");
    return { n, s, p: lucasP(q), q };
  }
  const t = n + 1n - m;
  if (kind === "4") return { n, t, s, curve: { j: lines.bareNumber("J$="), t: lines.bareNumber("T$=") } };
  return { n, t, s, curve: { a: lines.bareNumber("A$="), b: lines.bareNumber("B$="), t: lines.bareNumber("T$=") } };
}

// The text of Perl's Math::Prime::Util: what each number needs to be prime, in any order.

const NAMES = {
  ECPP: ["N", "A", "B", "M", "Q", "X", "Y"],
  ECPP3: ["N", "S", "R", "A", "B", "T"],
  ECPP4: ["N", "S", "R", "J", "T"],
  POCKLINGTON: ["N", "Q", "A"],
  BLS3: ["N", "Q", "A"],
  BLS15: ["N", "Q", "LP", "LQ"],
  SMALL: ["N"],
};
const SEVERAL = ["BLS5", "LUCAS"];
const SPACE = /[\s\x1c-\x1f]+/; // oxlint-disable-line no-control-regex -- as Python has it

function readMpu(text) {
  const lines = new Lines(text, "#");
  lines.title("[MPU - Primality Certificate]");
  while (!lines.nextIs("Proof for:")) {
    const line = lines.take("Proof for:");
    if (line.startsWith("Base") && line.split(SPACE).filter(Boolean).join(" ") !== "Base 10") lines.fail("Base 10");
  }
  lines.take("Proof for:");
  const { N } = readFields(lines, ["N"]);
  const shown = new Map();
  while (lines.more) {
    if (!lines.nextIs("Type")) lines.failNext("Type");
    if (shown.size === MOST_STEPS) lines.failNext(`the end of the text: at most ${MOST_STEPS} numbers are proven`);
    const said = readType(lines);
    if (said && !shown.has(said.n)) shown.set(said.n, said);
  }
  return new Tree(shown).certificate(N, 0);
}

function readField(lines, fields, allowed, expected) {
  const [, written, digits] = /^([A-Za-z]{1,2}|[QA]\[[0-9]{1,4}\])[ \t]+(-?[0-9]+)$/.exec(lines.take(expected)) ?? [];
  const name = written?.toUpperCase();
  if (!name || !allowed(name) || Object.hasOwn(fields, name)) lines.fail(`${expected} and a decimal number`);
  if (digits.length > MOST_DIGITS) lines.fail(`${name} and at most ${MOST_DIGITS} characters`);
  fields[name] = BigInt(digits);
}

function readFields(lines, names) {
  const fields = {};
  for (let left = names; left.length; left = names.filter((name) => !Object.hasOwn(fields, name))) {
    readField(lines, fields, (name) => names.includes(name), left.join(" or "));
  }
  return fields;
}

/** What a type says of its N; undefined where that is nothing. */
function readType(lines) {
  const words = lines.take("Type").slice("Type".length).split(SPACE);
  const kind = words.filter((word, index) => word || (index > 0 && index < words.length - 1)).join(" ").toUpperCase();
  if (SEVERAL.includes(kind)) return readSeveral(lines, kind);
  if (!Object.hasOwn(NAMES, kind)) lines.fail(`Type and one of ${[...Object.keys(NAMES), ...SEVERAL].join(", ")}`);
  const fields = readFields(lines, NAMES[kind]);
  return kind === "SMALL" ? undefined : readTypeStep(lines, kind, fields);
}

function readTypeStep(lines, kind, { N: n, A: a, B: b, M: m, Q: q, X: x, Y: y, S: s, R: r, T: t, J: j, LP: p, LQ: lq }) {
  const whole = kind === "ECPP" ? m : kind.startsWith("ECPP") ? s * r : kind === "BLS15" ? n + 1n : n - 1n;
  const part = kind === "ECPP3" || kind === "ECPP4" ? r : q;
  if (part < 1n || whole < part || whole % part) lines.fail("before this, a divisor");
  const step = { n, s: whole / part };
  if (kind === "BLS15") return { ...step, p, q: lq };
  if (kind === "POCKLINGTON" || kind === "BLS3") return { ...step, base: a };
  step.t = n + 1n - whole;
  if (kind === "ECPP4") return { ...step, curve: { j, t } };
  if (kind === "ECPP3") return { ...step, curve: { a, b, t } };
  if (n < 1n || (y * y - (x * x + a) * x - b) % n) lines.fail("before this, a point X, Y on the curve y^2 = x^3 + A x + B modulo N");
  return { ...step, curve: { a, x, y } };
}

function readSeveral(lines, kind) {
  const fields = {};
  const isBase = (name, count) => {
    if (kind === "LUCAS") return name === "A";
    const at = Number(/^A\[(0|[1-9][0-9]*)\]$/.exec(name)?.[1] ?? Infinity);
    return at <= count;
  };
  let count = 0; // of Q so far
  while (lines.more && !lines.nextIs("-") && !lines.nextIs("Type")) {
    const following = `Q[${count + 1}]`;
    const factors = count;
    readField(lines, fields, (name) => name === "N" || name === following || isBase(name, factors), `N, ${following} or a base`);
    if (Object.hasOwn(fields, following)) count += 1;
  }
  if (lines.nextIs("-")) lines.take("-");
  else if (kind === "BLS5") lines.failNext("a line of ---- after BLS5");
  for (const name of kind === "LUCAS" ? ["N", "A"] : ["N"]) if (!Object.hasOwn(fields, name)) lines.fail(`${name} before this`);
  const listed = Array.from({ length: count }, (_, index) => ({
    p: fields[`Q[${index + 1}]`],
    base: kind === "LUCAS" ? fields.A : (fields[`A[${index + 1}]`] ?? 2n),
  }));
  if (kind === "BLS5") listed.unshift({ p: 2n, base: fields["A[0]"] ?? 2n });
  return { n: fields.N, factors: listed };
}

/** Puts together what is said of each number. What is needed twice stands there twice, so that the whole is bounded. */
class Tree {
  #shown;
  #count = 0;

  constructor(shown) {
    this.#shown = shown;
  }

  certificate(n, depth) {
    const steps = [];
    let said = this.#take(n);
    for (; said && !said.factors; said = this.#take(next(said))) steps.push(said);
    if (!said) return { n, steps };
    const end = { n: said.n, factors: said.factors.map((factor) => this.#factor(factor, depth)) };
    return steps.length ? { n, steps, end } : end;
  }

  #take(n) {
    const said = this.#shown.get(n);
    if (said) this.#count += 1;
    if (this.#count > MOST_STEPS) throw new Malformed(`the proofs of the text: expected at most ${MOST_STEPS}`);
    return said;
  }

  #factor(factor, depth) {
    if (!this.#shown.has(factor.p)) return factor;
    if (depth === MOST_DEPTH) throw new Malformed(`the proofs of the text: expected at most ${MOST_DEPTH} within each other`);
    return { ...factor, certificate: this.certificate(factor.p, depth + 1) };
  }
}

/** Without blanks at its end. A regular expression would look at a run of them within the line as often as it has blanks. */
function trimEnd(line) {
  let end = line.length;
  while (end && " \t\r".includes(line[end - 1])) end -= 1;
  return line.slice(0, end);
}

/** Hands out the lines that are not empty, one by one; those that begin with `comment` are left out. */
class Lines {
  #lines;
  #at = 0; // the next line

  constructor(text, comment) {
    this.#lines = text
      .split("\n")
      .map((line, index) => ({ number: index + 1, text: trimEnd(line) }))
      .filter((line) => line.text && !(comment && line.text.replace(/^[ \t\r]+/, "").startsWith(comment)));
  }

  get more() {
    return this.#at < this.#lines.length;
  }

  take(expected) {
    if (!this.more) throw new Malformed(`end of the text: expected ${expected}`);
    this.#at += 1;
    return this.#lines[this.#at - 1].text;
  }

  /** Of the line that was handed out last. */
  fail(expected) {
    const { number, text } = this.#lines[this.#at - 1];
    throw new Malformed(`line ${number}: expected ${expected}, got ${quote(text)}`);
  }

  failNext(expected) {
    this.take(expected);
    this.fail(expected);
  }

  title(title) {
    if (this.take(title) !== title) this.fail(title);
  }

  nextIs(beginning) {
    return this.#lines[this.#at]?.text.startsWith(beginning) ?? false;
  }

  skipTo(title) {
    while (this.take(title) !== title);
  }

  value(beginning, expected = beginning) {
    const line = this.take(expected);
    if (!line.startsWith(beginning)) this.fail(expected);
    return line.slice(beginning.length);
  }

  /** Hexadecimal with `$` or `0x`, decimal without. */
  number(beginning, expected) {
    const [, sign, hexadecimal, decimal] = this.#match(/^(-?)(?:(?:\$|0x)([0-9A-Fa-f]+)|([0-9]+))$/, beginning, expected);
    const value = BigInt(hexadecimal ? `0x${hexadecimal}` : decimal);
    return sign ? -value : value;
  }

  bareNumber(beginning, expected) {
    const [, sign, digits] = this.#match(/^(-?)([0-9A-Fa-f]+)$/, beginning, expected);
    return sign ? -BigInt(`0x${digits}`) : BigInt(`0x${digits}`);
  }

  #match(pattern, beginning, expected) {
    const value = this.value(beginning, expected);
    if (value.length > MOST_DIGITS) this.fail(`${beginning} and at most ${MOST_DIGITS} characters`);
    return pattern.exec(value) ?? this.fail(`${beginning} and a number such as $1F, -$1F or 0x1F`);
  }

  end(expected) {
    if (this.more) this.failNext(expected);
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
