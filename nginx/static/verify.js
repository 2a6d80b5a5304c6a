// Checks evidence with nothing but arithmetic, so that nobody needs to trust whoever sent it: a factor or a witness of a
// composite number, a certificate of a prime one. Accepts and rejects what the package certificates in Python does; docs/certificates.md
// tells the theorems.

// Below this no composite number passes the strong test to all of BASES (Sorenson and Webster, 2015).
export const EXACT_BELOW = 3_317_044_064_679_887_385_961_981n;
export const BASES = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n];

// Bases tried to find one for a factor of N-1: if N is prime each misses with a chance of one in the factor.
const MOST_BASES = 128;

/** The certificate proves nothing; the message says which step fails, and why. */
export class Rejected extends Error {
  name = "Rejected";

  constructor(step, n, reason) {
    super(`step ${step} (${shorten(n)}): ${reason}`);
    this.step = step; // from 1 on; of a small number's certificate, 0
  }
}

/** Whether `factor` divides n and is neither 1 nor n: then n is composite. */
export function isFactor(n, factor) {
  return factor > 1n && factor < n && n % factor === 0n;
}

/** Whether n is odd and fails the strong probable prime test (Miller-Rabin) to this base, which no prime fails to any. */
export function isWitness(n, base) {
  return n > 2n && n % 2n === 1n && failsStrongTest(n, base);
}

/** Whether n, below EXACT_BELOW, is prime. */
export function isSmallPrime(n) {
  if (n >= EXACT_BELOW) throw new RangeError(`Expected a number below ${EXACT_BELOW}, got one of ${n.toString().length} digits`);
  if (n < 2n || BASES.some((base) => n % base === 0n)) return BASES.includes(n);
  return !BASES.some((base) => failsStrongTest(n, base));
}

/** Whether odd n > 2 fails the strong test to this base. A multiple of n says nothing. */
export function failsStrongTest(n, base) {
  if (base % n === 0n) return false;
  let odd = n - 1n;
  let twos = 0;
  while (odd % 2n === 0n) {
    odd /= 2n;
    twos += 1;
  }
  let power = modularPower(base, odd, n);
  if (power === 1n || power === n - 1n) return false;
  for (let square = 1; square < twos; square += 1) {
    power = (power * power) % n;
    if (power === n - 1n) return false;
  }
  return true;
}

/**
 * Prove the number of a certificate that certificate.js has read. Throws Rejected; `note` is told of each step that holds, and of
 * how many there are. Returns how many there were.
 */
export function prove(certificate, note = () => {}) {
  const steps = count(certificate);
  new Proof(steps, note).prove(certificate);
  return steps;
}

function count({ steps, end, factors }) {
  if (steps) return steps.length + (end ? count(end) : 0);
  return (factors ?? []).reduce((sum, { certificate }) => sum + (certificate ? count(certificate) : 0), 1);
}

/** Certificates may stand within each other: their steps are numbered as they begin. */
class Proof {
  #begun = 0;
  #done = 0;
  #steps;
  #note;

  constructor(steps, note) {
    this.#steps = steps;
    this.#note = note;
  }

  prove(certificate) {
    if (certificate.steps) return this.#proveChain(certificate);
    this.#begun += 1;
    if (certificate.plus) proveMorrison(certificate, this.#begun);
    else provePocklington(certificate, this.#begun, (inner) => this.prove(inner));
    this.#hold();
  }

  #hold() {
    this.#done += 1;
    this.#note(this.#done, this.#steps);
  }

  #proveChain({ n: first, steps, end }) {
    let n = first;
    for (const step of steps) {
      this.#begun += 1;
      if (step.n !== n) throw new Rejected(this.#begun, step.n, `expected ${shorten(n)} here`);
      n = (step.curve ? proveStep : step.base === undefined ? provePlusStep : proveMinusStep)(step, this.#begun);
      this.#hold();
    }
    if (end && end.n !== n) throw new Rejected(this.#begun, end.n, `expected ${shorten(n)} here`);
    if (end) this.prove(end);
    else if (n >= EXACT_BELOW || !isSmallPrime(n)) throw new Rejected(this.#begun, n, "the last number is no prime below 3.3e24");
  }
}

const expecting = (number, n) => (holds, reason) => {
  if (!holds) throw new Rejected(number, n, reason);
};

/**
 * By one prime factor q of n - 1 (Pocklington): if a^(n-1) = 1 modulo n and gcd(a^s - 1, n) = 1, q divides p - 1 for each prime p
 * that divides n; p - 1 is even, so p > 2q.
 */
function proveMinusStep({ n, s, base }, number) {
  const expect = expecting(number, n);
  expect(n > 2n && n % 2n === 1n, "n is below 3 or even");
  expect(s >= 1n && (n - 1n) % s === 0n, "s does not divide n - 1");
  const q = (n - 1n) / s;
  expect(q > 1n && q % 2n === 1n, "q = (n - 1) / s is no odd number above 1");
  expect((2n * q + 1n) ** 2n > n, "q = (n - 1) / s is too small: 2 q + 1 is not above sqrt(n)");
  const power = modularPower(base, s, n);
  const shows = gcd(power - 1n, n) === 1n && modularPower(power, q, n) === 1n;
  expect(shows, "the base does not show that q divides p - 1 for each p that divides n");
  return q;
}

/** By one prime factor q of n + 1 (Brillhart, Lehmer and Selfridge, theorem 15): each prime that divides n is 2q - 1 at least. */
function provePlusStep({ n, s, p, q: lq }, number) {
  const expect = expecting(number, n);
  expect(n > 2n && n % 2n === 1n, "n is below 3 or even");
  expect(s >= 1n && (n + 1n) % s === 0n, "s does not divide n + 1");
  const q = (n + 1n) / s;
  expect(q > 1n && q % 2n === 1n, "q = (n + 1) / s is no odd number above 1");
  expect((2n * q - 1n) ** 2n > n, "q = (n + 1) / s is too small: 2 q - 1 is not above sqrt(n)");
  expect(jacobi(p * p - 4n * lq, n) === -1, "the discriminant's Jacobi symbol is not -1");
  expect(gcd(generalLucas(p, lq, s / 2n, n), n) === 1n, "V(s/2) has a factor in common with n");
  expect(generalLucas(p, lq, (n + 1n) / 2n, n) === 0n, "V((n+1)/2) is not 0 modulo n");
  return q;
}

/** V of the index modulo n, of the sequence with V(0) = 2, V(1) = p, V(i+1) = p V(i) - q V(i-1). */
function generalLucas(p, q, index, n) {
  let [low, high, power] = [2n, p, 1n]; // V(k), V(k+1) and q^k
  for (const bit of index ? index.toString(2) : "") {
    const middle = (low * high - p * power) % n;
    if (bit === "1") [low, high, power] = [middle, (high * high - 2n * power * q) % n, (power * power * q) % n];
    else [low, high, power] = [(low * low - 2n * power) % n, middle, (power * power) % n];
  }
  return modulo(low, n);
}

/**
 * One step by the theorem of Goldwasser and Kilian; returns the number whose primality proves that of n.
 *
 * Let gcd(n, 6) = 1, the curve be non-singular modulo each prime p that divides n, q be a prime above (n^(1/4) + 1)^2, and Q a point
 * that is O modulo no such p, with [q]Q = O modulo each. Then Q has order q modulo each p; by Hasse's bound p > sqrt(n), so n is prime.
 */
function proveStep({ n, t, s, curve }, number) {
  const expect = expecting(number, n);
  expect(n > 1n && gcd(n, 6n) === 1n, "n is below 5, or 2 or 3 divides it");
  expect(t * t <= 4n * n, "t lies outside Hasse's bound, |t| <= 2 sqrt(n)");
  const m = n + 1n - t;
  expect(s >= 1n && m % s === 0n, "s does not divide m = n + 1 - t");
  const q = m / s;
  expect(exceedsBound(q, n), "q = m / s is not above (n^(1/4) + 1)^2");
  const { a, b, x } = place(curve, n);
  expect(gcd(4n * a ** 3n + 27n * b ** 2n, n) === 1n, "the curve is singular modulo a factor of n");
  const [bigX, z] = multiply(s, x, a, b, n);
  expect(gcd(z, n) === 1n, "[s]P is O modulo a factor of n");
  expect(multiply(q, modulo(bigX * inverse(z, n), n), a, b, n)[1] === 0n, "[m]P is not O");
  return q;
}

/** Whether q > (n^(1/4) + 1)^2, that is (sqrt(q) - 1)^4 > n, in whole numbers. */
function exceedsBound(q, n) {
  const rest = q * q + 6n * q + 1n - n; // (sqrt(q) - 1)^4 - n = rest - 4 (q + 1) sqrt(q)
  return q > 1n && rest > 0n && rest * rest > 16n * q * (q + 1n) ** 2n;
}

/**
 * The curve y^2 = x^3 + a x + b and the point's x, modulo n. Primo's x need not belong to a point: then it belongs to one of the curve's
 * twist, which has as many points at most, and what multiplies x is the same for both.
 */
function place(curve, n) {
  if (curve.y !== undefined) {
    const { a, x, y } = curve;
    return { a: modulo(a, n), b: modulo(y * y - (x * x + a) * x, n), x: modulo(x, n) };
  }
  const { j, t } = curve;
  const a = j === undefined ? curve.a : 3n * j * (1728n - j);
  const b = j === undefined ? curve.b : 2n * j * (1728n - j) ** 2n;
  return { a: modulo(a, n), b: modulo(b, n), x: modulo(t, n) };
}

/**
 * [k]P for k >= 1 as X, Z, its x being X / Z and O having Z = 0, by Montgomery's ladder over x alone: [i]P and [i+1]P, whose difference is
 * always P. Its formulas have no exceptions, also where n is composite: modulo each prime p that divides n they give
 * what the group law gives, for O and for points of order 2 too. (A chain that adds to P itself can meet a sum that it gets wrong.)
 */
function multiply(k, x, a, b, n) {
  let [x1, z1, x2, z2] = [x, 1n, ...double(x, 1n, a, b, n)];
  for (const bit of k.toString(2).slice(1)) {
    const sum = add(x1, z1, x2, z2, x, a, b, n);
    if (bit === "1") [x1, z1, x2, z2] = [...sum, ...double(x2, z2, a, b, n)];
    else [x1, z1, x2, z2] = [...double(x1, z1, a, b, n), ...sum];
  }
  return [modulo(x1, n), modulo(z1, n)];
}

function double(x, z, a, b, n) {
  const xx = (x * x) % n;
  const zz = (z * z) % n;
  const azz = (a * zz) % n;
  const bzz4 = (4n * b * zz) % n;
  const xz = (x * z) % n;
  const difference = xx - azz;
  return [(difference * difference - 2n * bzz4 * xz) % n, (4n * xz * (xx + azz) + bzz4 * zz) % n];
}

/** The sum of two points whose difference has this x. */
function add(x1, z1, x2, z2, x, a, b, n) {
  const left = (x1 * z2) % n;
  const right = (x2 * z1) % n;
  const zz = (z1 * z2) % n;
  const z = (left - right) ** 2n % n;
  return [(2n * (left + right) * ((x1 * x2 + a * zz) % n) + 4n * b * ((zz * zz) % n) - x * z) % n, z];
}

/**
 * An N-1 certificate, by the theorems of Pocklington and of Brillhart, Lehmer and Selfridge.
 *
 * Let F be the part of n - 1 that the known prime factors p make up. If each p has a base a with a^(n-1) = 1 modulo n and
 * gcd(a^((n-1)/p) - 1, n) = 1, then every divisor of n is 1 modulo F. If F > n^(1/3), then n has at most two prime factors,
 * and if it has two, 1 + u F and 1 + v F, they are found in its digits to base F: n = 1 + (u + v) F + u v F^2. Where F is even,
 * somewhat less suffices (theorem 5).
 */
function provePocklington({ n, factors }, number, prove) {
  const expect = expecting(number, n);
  expect(n > 2n && n % 2n === 1n, "n is below 3 or even");
  expect(new Set(factors.map(({ p }) => p)).size === factors.length, "a factor stands there twice");
  for (const { p, certificate } of factors) {
    expect(p > 1n && (n - 1n) % p === 0n, `${shorten(p)} is no factor of n - 1`);
    if (certificate) {
      expect(certificate.n === p, `the certificate for the factor ${shorten(p)} is for another number`);
      prove(certificate);
    } else expect(p < EXACT_BELOW && isSmallPrime(p), `the factor ${shorten(p)} is no prime below 3.3e24 and has no certificate`);
  }
  expect(hasBases(n, factors), "there is no base for a factor");
  const part = factors.reduce((product, { p }) => product * powerIn(n - 1n, p), 1n);
  const rest = (n - 1n) / part;
  let holds;
  if (part ** 3n > n) {
    const discriminant = (rest % part) ** 2n - 4n * (rest / part);
    holds = part * part > n || discriminant < 0n || !isSquare(discriminant);
  } else {
    const [s, r] = [rest / (2n * part), rest % (2n * part)];
    const enough = part % 2n === 0n && (part + 1n) * (2n * part * part + (r - 1n) * part + 1n) > n;
    expect(enough, "the factors of n - 1 are too few: their part F is not above n^(1/3)");
    holds = s === 0n || r * r < 8n * s || !isSquare(r * r - 8n * s);
  }
  expect(holds, "n is a product of two factors 1 modulo F");
}

// If n is prime, half of all numbers are no squares modulo n: more misses tell of a composite.
const MOST_DISCRIMINANTS = 128n;
const MOST_TRACES = 1_024n; // of n!-1 every small number is a square: x^2 - D must have a larger prime

/**
 * Factors of N+1, alone or with those of N-1, by the theorems of Morrison and of Brillhart, Lehmer and Selfridge (1975: 14, 15, 17, 20).
 *
 * Let D be no square modulo n, and F1 and F2 the parts of n - 1 and n + 1 that the known primes make up. If for each prime q of F2 an
 * element a of norm 1, modulo n and with sqrt(D), has a^(n+1) = 1, and the norm of a^((n+1)/q) - 1 has no factor in common with n,
 * then each prime d that divides n is (D/d) modulo F2. For one of them that is -1: it is n modulo L, the least common multiple of
 * F1 and F2, and n/d is 1 modulo L.
 */
function proveMorrison({ n, minus, plus }, number) {
  const expect = expecting(number, n);
  expect(n > 2n && n % 2n === 1n, "n is below 3 or even");
  expect(!isSquare(n), "n is a square");
  expectFactors(minus, n - 1n, "n - 1", expect);
  expectFactors(plus, n + 1n, "n + 1", expect);
  const part1 = minus.reduce((product, p) => product * powerIn(n - 1n, p), 1n);
  const part2 = plus.reduce((product, q) => product * powerIn(n + 1n, q), 1n);
  expect(part2 > 2n, "the factors of n + 1 are too few: their part F2 is not above 2");
  const based = !minus.length || hasBases(n, minus.map((p) => ({ p })));
  expect(based, "there is no base for a factor of n - 1");
  expect(hasTraces(n, plus), "there is no Lucas sequence for a factor of n + 1");
  const known = (part1 * part2) / gcd(part1, part2);
  if (known * known > n) {
    const rest = n % known;
    expect(rest <= 1n || rest === n || n % rest !== 0n, "n is divided by what it is modulo L");
  } else {
    expect(part1 === 1n && known ** 3n > n, "the factors are too few: L is not above sqrt(n), and F2 alone not above n^(1/3)");
    expect(!splits(n, known), "n is a product of two factors -1 and 1 modulo F2");
  }
}

function expectFactors(primes, multiple, name, expect) {
  expect(new Set(primes).size === primes.length, `a factor of ${name} stands there twice`);
  for (const p of primes) {
    expect(p > 1n && multiple % p === 0n, `${shorten(p)} is no factor of ${name}`);
    expect(p < EXACT_BELOW && isSmallPrime(p), `the factor ${shorten(p)} is no prime below 3.3e24`);
  }
}

/** Whether n = (j L - 1)(k L + 1) for some j, k >= 1, for L = `known` above the cube root of n: |j - k| is L + 1 at most. */
function splits(n, known) {
  const quotient = (n + 1n) / known;
  return [0n, 1n, 2n].some((step) => {
    const difference = (quotient % known) - step * known;
    const product = (quotient - difference) / known;
    return product > 0n && isSquare(difference * difference + 4n * product);
  });
}

/** Whether each prime factor q of n + 1 has an element of norm 1 as the theorem asks for, all with the same D. */
function hasTraces(n, primes) {
  let d = -1n;
  while (d < MOST_DISCRIMINANTS && jacobi(d, n) !== -1) d += d < 0n ? 3n : 1n;
  if (d === MOST_DISCRIMINANTS) return false;
  let left = primes;
  for (let x = 1n; left.length && x < MOST_TRACES; x += 1n) {
    const norm = x * x - d; // of x - sqrt(D); where it is a square modulo n, (x + sqrt(D))/(x - sqrt(D)) suits not 2
    if (gcd(x * norm, n) !== 1n || (left.includes(2n) && jacobi(norm, n) === 1)) continue;
    const trace = modulo(2n * (x * x + d) * inverse(norm, n), n);
    if (lucas(trace, n + 1n, n) !== 2n) return false; // n is composite
    left = left.filter((q) => gcd(lucas(trace, (n + 1n) / q, n) - 2n, n) !== 1n);
  }
  return !left.length;
}

/**
 * V of the index >= 1 modulo n, of the sequence with V(0) = 2, V(1) = trace, V(i+1) = trace V(i) - V(i-1). Twos of the index cost a
 * squaring each, as in the test of Lucas and Lehmer.
 */
function lucas(trace, index, n) {
  const bits = index.toString(2);
  const odd = bits.replace(/0+$/, "");
  let [low, high] = [2n, trace];
  for (const bit of odd) {
    const middle = modulo(low * high - trace, n);
    [low, high] = bit === "1" ? [middle, modulo(high * high - 2n, n)] : [modulo(low * low - 2n, n), middle];
  }
  for (let twos = bits.length - odd.length; twos > 0; twos -= 1) low = modulo(low * low - 2n, n);
  return low;
}

/** The Jacobi symbol (a / n) of odd n > 0. */
function jacobi(value, n) {
  let [a, m, symbol] = [modulo(value, n), n, 1];
  while (a) {
    while (a % 2n === 0n) {
      a /= 2n;
      if (m % 8n === 3n || m % 8n === 5n) symbol = -symbol;
    }
    if (a % 4n === 3n && m % 4n === 3n) symbol = -symbol;
    [a, m] = [m % a, a];
  }
  return m === 1n ? symbol : 0;
}

/** The highest power of p that divides m. */
function powerIn(m, p) {
  let power = 1n;
  while ((m / power) % p === 0n) power *= p;
  return power;
}

/** Whether each prime factor p of n - 1 has a base a with a^(n-1) = 1 modulo n and gcd(a^((n-1)/p) - 1, n) = 1. */
function hasBases(n, factors) {
  if (!factors.every(({ base, p }) => base === undefined || isBase(base, n, p))) return false;
  let left = factors.filter(({ base }) => base === undefined).map(({ p }) => p);
  for (const base of smallPrimes(MOST_BASES)) {
    if (!left.length) break;
    if (modularPower(base, n - 1n, n) !== 1n) return false; // n is composite, or the base itself
    left = left.filter((p) => gcd(modularPower(base, (n - 1n) / p, n) - 1n, n) !== 1n);
  }
  return !left.length;
}

function isBase(base, n, p) {
  const power = modularPower(base, (n - 1n) / p, n);
  return gcd(power - 1n, n) === 1n && modularPower(power, p, n) === 1n;
}

function smallPrimes(count) {
  const primes = [];
  for (let n = 2; primes.length < count; n += 1) if (primes.every((p) => n % p)) primes.push(n);
  return primes.map(BigInt);
}

function isSquare(n) {
  if (n < 2n) return n >= 0n;
  let root = 1n << BigInt(Math.ceil(n.toString(2).length / 2)); // at least the root; Newton's steps fall to it
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root * root === n;
    root = next;
  }
}

/** With 0 and n, n: as 0 is divided by all. */
function gcd(a, b) {
  let [left, right] = [a < 0n ? -a : a, b];
  while (right) [left, right] = [right, left % right];
  return left;
}

/** Of a unit modulo n. */
function inverse(value, n) {
  let [left, right, x, next] = [modulo(value, n), n, 1n, 0n];
  while (right) {
    const quotient = left / right;
    [left, right, x, next] = [right, left - quotient * right, next, x - quotient * next];
  }
  return modulo(x, n);
}

function modularPower(base, exponent, n) {
  const reduced = modulo(base, n);
  let power = 1n % n;
  for (const bit of exponent.toString(2)) {
    power *= power;
    if (bit === "1") power *= reduced; // a witness is small: cheaper than a window of powers
    power %= n;
  }
  return power;
}

function modulo(value, n) {
  const rest = value % n;
  return rest < 0n ? rest + n : rest;
}

function shorten(n) {
  const digits = n.toString();
  return digits.length <= 24 ? digits : `${digits.slice(0, 12)}…${digits.slice(-12)}`;
}
