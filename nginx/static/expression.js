// Reads what the server reads as a number, an integer or an expression such as 2^127-1, and computes its value, so that
// whoever checks an answer need not ask the server what the question meant.

import { FUNCTIONS, MOST_BITS, NotANumber, bits, bounded, factorial, multifactorial, primorial } from "./functions.js";

const NESTING = 50; // levels, as on the server

// As on the server: white space of any kind around an integer, blanks of ASCII in an expression. Python and JavaScript differ in what
// is white space, so it is written out: all that Unicode calls so.
const BLANK = "[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]*";
const INTEGER = new RegExp(`^${BLANK}([+-]?)(\\p{Nd}+(?:_\\p{Nd}+)*)${BLANK}$`, "u");
const SIGNS = { "\u2212": "-", "\u00d7": "*", "\u22c5": "*", "\u00b7": "*" }; // as they are typeset: the minus sign, the cross and two dots
// Shorter ways to write what the syntax has. A superscript ends where its line goes on, so that 2² followed by ! or 3 is refused.
const SUPERSCRIPT = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
const RAISED = new RegExp(`(?<![${SUPERSCRIPT}])[${SUPERSCRIPT}]+(?![ \\t\\r\\n]*(?:[0-9A-Za-z_!#^${SUPERSCRIPT}]|\\*\\*))`, "g");
const SHORT = [
  [/(?<![0-9A-Za-z_.])([0-9]+(?:_[0-9]+)*)[eE]([0-9]+)(?![0-9A-Za-z_.])/g, "($1*10^$2)"],
  [/(?<![0-9A-Za-z_.])M([0-9]+)(?![0-9A-Za-z_.])/g, "(2^$1-1)"],
  [/(?<![0-9A-Za-z_.])R\(([0-9]+)\)/g, "((10^$1-1)/9)"],
];
const TOKEN = /[ \t\r\n]*(?:(0[xX][0-9a-fA-F]+|[0-9]+(?:_[0-9]+)*)|(\*\*|![0-9]+(?:_[0-9]+)*|[-+*/^!#(),])|$|([A-Za-z]+|.))/suyg;

/** The value of an integer, in digits of any script, or of an expression, as a BigInt. Throws NotANumber. */
export function evaluate(text) {
  const integer = INTEGER.exec(text);
  if (!integer) return new Parser(text).read();
  const digits = integer[2].replaceAll("_", "");
  const value = parse(/^[0-9]+$/.test(digits) ? digits : Array.from(digits, decimal).join(""));
  return integer[1] === "-" ? -value : value;
}

/** The value of one decimal digit: each script has its ten in a row, zero first, and rows may follow each other. */
function decimal(digit) {
  const code = digit.codePointAt(0);
  let first = code;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return (code - first) % 10;
}

function parse(digits) {
  if (digits.length > MOST_BITS / 3) throw new NotANumber(`Expected at most ${MOST_BITS} bits, got ${digits.length} digits`);
  return BigInt(digits);
}

/** The same in signs of ASCII: 1e50 as (1*10^50), M127 as (2^127-1), R(19) as ((10^19-1)/9). */
function spell(text) {
  const signs = text.replaceAll(/[\u2212\u00d7\u22c5\u00b7]/g, (sign) => SIGNS[sign]);
  const plain = signs.replaceAll(/(?![0-9])\p{Nd}/gu, decimal);
  const flat = plain.replaceAll(RAISED, (run) => `^${Array.from(run, (digit) => SUPERSCRIPT.indexOf(digit)).join("")}`);
  return SHORT.reduce((written, [short, long]) => written.replaceAll(short, long), flat);
}

/** Recursive descent; every method leaves the token after what it read. */
class Parser {
  #tokens;
  #next = 0;

  constructor(text) {
    this.#tokens = Array.from(spell(text).matchAll(TOKEN), (match) => match[1] ?? match[2] ?? match[3]); // the last ones are undefined: the end
  }

  read() {
    // A plus sign before all, as an integer may have one.
    if (this.#take("+") && ["+", "-"].includes(this.#ahead)) throw new NotANumber(`Expected a number, got ${this.#ahead}`);
    const value = this.#sum(0);
    if (this.#ahead !== undefined) throw new NotANumber(`Expected an operator or the end, got ${this.#ahead}`);
    return value;
  }

  get #ahead() {
    return this.#tokens[this.#next];
  }

  #take(...tokens) {
    if (!tokens.includes(this.#ahead)) return undefined;
    this.#next += 1;
    return this.#tokens[this.#next - 1];
  }

  #sum(depth) {
    let value = this.#product(depth);
    for (let operator; (operator = this.#take("+", "-")); ) {
      const right = this.#product(depth);
      value = bounded(operator === "+" ? value + right : value - right);
    }
    return value;
  }

  #product(depth) {
    let value = this.#signed(depth);
    for (let operator; (operator = this.#take("*", "/")); ) {
      const right = this.#signed(depth);
      value = operator === "*" ? bounded(value * right) : quotient(value, right);
    }
    return value;
  }

  #signed(depth) {
    if (depth > NESTING) throw new NotANumber(`Expected at most ${NESTING} levels`);
    return this.#take("-") ? -this.#signed(depth + 1) : this.#power(depth);
  }

  #power(depth) {
    const base = this.#postfixed(depth);
    return this.#take("^", "**") ? power(base, this.#signed(depth + 1)) : base;
  }

  #postfixed(depth) {
    let value = this.#atom(depth);
    let multiplied = false; // by a factorial or the like, which another one after it has two meanings with
    while (/^[!#]/.test(this.#ahead ?? "")) {
      const token = this.#take(this.#ahead);
      const factorials = token.startsWith("!");
      if (factorials && multiplied) throw new NotANumber("Expected n!2 or (n!)!, got n!!");
      multiplied = factorials;
      if (token.length > 1) value = multifactorial(value, parse(token.slice(1).replaceAll("_", "")));
      else value = factorials ? factorial(value) : primorial(value);
    }
    return value;
  }

  #atom(depth) {
    if (this.#take("(")) {
      const value = this.#sum(depth + 1);
      if (!this.#take(")")) throw new NotANumber(`Expected an operator or ), got ${this.#ahead ?? "the end"}`);
      return value;
    }
    const token = this.#ahead;
    if (FUNCTIONS.has(token)) return this.#call(this.#take(token), depth);
    if (!/^[0-9]/.test(token ?? "")) throw new NotANumber(`Expected a number or (, got ${token ?? "the end"}`);
    this.#next += 1;
    return bounded(parse(token.replaceAll("_", "")));
  }

  #call(name, depth) {
    const { operands, compute } = FUNCTIONS.get(name);
    const values = Array.from({ length: operands }, (_, place) => {
      if (!this.#take(place ? "," : "(")) throw new NotANumber(`Expected ${operands} operands of ${name}, in parentheses`);
      return this.#sum(depth + 1);
    });
    if (!this.#take(")")) throw new NotANumber(`Expected an operator or ), got ${this.#ahead ?? "the end"}`);
    return compute(...values);
  }
}

function quotient(left, right) {
  if (right === 0n || left % right !== 0n) throw new NotANumber("Expected a division without a remainder");
  return left / right;
}

function power(base, exponent) {
  if (exponent < 0n) throw new NotANumber(`Expected an exponent of at least 0, got ${exponent}`);
  const size = base < 0n ? -base : base;
  if (size > 1n && (exponent > MOST_BITS || BigInt(bits(size) - 3) * exponent > MOST_BITS + 64)) {
    throw new NotANumber(`Expected at most ${MOST_BITS} bits, got more`);
  }
  return size > 1n ? bounded(base ** exponent) : base === -1n && exponent % 2n ? -1n : base === 0n && exponent ? 0n : 1n;
}
