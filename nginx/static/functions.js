// The values of factorials, primorials and the functions of an expression; what has too many bits is refused before it is computed.

export const MOST_BITS = 140_000; // of a value and of all on the way to it: 42,000 digits, four times what a server takes by default
const MOST_OPERAND = 150_000; // of n! and n#: above, the value has more bits than that
const MOST_INDEX = 205_000; // of fib(n) and luc(n): above, the value has more bits than that
const MOST_PRIME = 10_000; // n of p(n), as on the server
const MOST_CYCLOTOMIC = 1_000_000; // n of Phi(n,x), as on the server
const LAST_PRIME = 104_729; // p(MOST_PRIME)
const EXACT = 2n ** 53n; // below, a Number is exact

/** The text is neither an integer nor an expression that has an integer value, or its value is too large to compute here. */
export class NotANumber extends Error {
  name = "NotANumber";
}

/** The bits of a value, up to three more. */
export function bits(value) {
  return value === 0n ? 0 : value.toString(16).length * 4;
}

/** The value. Throws NotANumber where it has more than MOST_BITS. */
export function bounded(value) {
  checkBits(bits(value));
  return value;
}

function checkBits(least) {
  if (least > MOST_BITS) throw new NotANumber(`Expected at most ${MOST_BITS} bits, got more`);
}

function checkOperand(name, n, low, high) {
  if (n < low || n > high) throw new NotANumber(`Expected an operand of ${name} from ${low} to ${high}, got ${n}`);
}

/** At most the logarithm to the base 2 of a value above 0, short of it by 4 at most. */
function log2(value) {
  return value < EXACT ? Math.log2(Number(value)) : bits(value) - 4;
}

export function factorial(n) {
  checkOperand("!", n, 0, MOST_OPERAND);
  return product(1, Number(n), BigInt);
}

/** n(n-m)(n-2m)… down to the last one above 0. */
export function multifactorial(n, m) {
  if (n < 0n || m < 1n) throw new NotANumber("Expected n of at least 0 and m of at least 1 in n!m");
  const factors = n > 0n ? (n - 1n) / m : 0n; // but for the last one; they are above m, 2m, 3m, …
  checkOperand("!m", factors, 0, MOST_OPERAND);
  checkBits(Number(factors) * log2(m));
  return n > 0n ? product(0, Number(factors), (place) => n - BigInt(place) * m) : 1n;
}

export function primorial(n) {
  checkOperand("#", n, 0, MOST_OPERAND);
  const composite = sieve(Number(n));
  return product(2, Number(n), (factor) => (composite[factor] ? 1n : BigInt(factor)));
}

/** Which numbers up to the most are composite, by the sieve of Eratosthenes. */
function sieve(most) {
  const composite = new Uint8Array(most + 1);
  for (let p = 2; p * p <= most; p += 1) {
    if (!composite[p]) for (let multiple = p * p; multiple <= most; multiple += p) composite[multiple] = 1;
  }
  return composite;
}

/** The product of what places from low to high have; halved again and again, since factors of one size multiply fastest. */
function product(low, high, factor, check = bounded) {
  if (high - low < 8) {
    let value = 1n;
    for (let place = low; place <= high; place += 1) value *= factor(place);
    return check(value);
  }
  const middle = (low + high) >> 1;
  return check(product(low, middle, factor, check) * product(middle + 1, high, factor, check));
}

function fibonacci(n) {
  checkOperand("fib", n, 0, MOST_INDEX);
  return bounded(pair(n)[0]);
}

function lucas(n) {
  checkOperand("luc", n, 0, MOST_INDEX);
  const [a, b] = pair(n);
  return bounded(2n * b - a);
}

/** The Fibonacci numbers n and n + 1, by doubling the index. */
function pair(n) {
  let [a, b] = [0n, 1n];
  for (const bit of n.toString(2)) {
    [a, b] = [a * (2n * b - a), a * a + b * b];
    if (bit === "1") [a, b] = [b, a + b];
  }
  return [a, b];
}

function binomial(n, k) {
  if (n < 0n || k < 0n) throw new NotANumber("Expected n and k of at least 0 in binomial(n,k)");
  const least = k < n - k ? k : n - k;
  if (least <= 0n) return least === 0n ? 1n : 0n;
  checkOperand("binomial", least, 0, MOST_BITS);
  checkBits(Number(least) * log2(n / least)); // the value is at least (n/k)^k
  const above = product(0, Number(least) - 1, (place) => n - BigInt(place), (value) => value);
  return bounded(above / product(1, Number(least), BigInt, (value) => value));
}

/** The value at x of the cyclotomic polynomial: x^(n/d)-1 and their inverses multiplied over square-free divisors d of n. */
function cyclotomic(n, x) {
  checkOperand("Phi", n, 1, MOST_CYCLOTOMIC);
  const size = x < 0n ? -x : x;
  if (size < 2n) throw new NotANumber("Expected x from 2 on, or below -1, in Phi(n,x)");
  const primes = primesOf(Number(n));
  const degree = primes.reduce((rest, p) => rest - rest / p, Number(n));
  checkBits((degree - 1) * log2(size));
  let divisors = [{ d: 1n, above: true }];
  for (const p of primes) divisors = divisors.concat(divisors.map(({ d, above }) => ({ d: d * BigInt(p), above: !above })));
  const multiply = (wanted) => divisors.reduce((value, { d, above }) => (above === wanted ? value * (x ** (n / d) - 1n) : value), 1n);
  return bounded(multiply(true) / multiply(false));
}

function primesOf(n) {
  const found = [];
  let rest = n;
  for (let p = 2; p * p <= rest; p += 1) {
    if (rest % p === 0) found.push(p);
    while (rest % p === 0) rest /= p;
  }
  return rest > 1 ? [...found, rest] : found;
}

function prime(n) {
  checkOperand("p", n, 1, MOST_PRIME);
  const composite = sieve(LAST_PRIME);
  let value = 1;
  for (let place = 0; place < n; place += 1) do value += 1; while (composite[value]);
  return BigInt(value);
}

/** How many operands each takes, and its value. */
export const FUNCTIONS = new Map([
  ["binomial", { operands: 2, compute: binomial }],
  ["fib", { operands: 1, compute: fibonacci }],
  ["fibonacci", { operands: 1, compute: fibonacci }],
  ["luc", { operands: 1, compute: lucas }],
  ["lucas", { operands: 1, compute: lucas }],
  ["p", { operands: 1, compute: prime }],
  ["Phi", { operands: 2, compute: cyclotomic }],
]);
