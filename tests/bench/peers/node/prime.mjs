// Whether integers below 2^40 are prime, without BigInt: products are computed exactly, as a double and what it lacks.

const SPLIT = 2 ** 27 + 1;
const SMALL = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97];
const BASES = [2, 13, 23, 1662803]; // have no exception below 1.1 * 10^12 (Jaeschke)

// a * b modulo m, for a and b below m below 2^40.
function multiply(a, b, m) {
  const product = a * b;
  const lack = lost(a, b, product);
  const quotient = Math.floor(product / m);
  const taken = quotient * m;
  const rest = product - taken + (lack - lost(quotient, m, taken));
  return rest < 0 ? rest + m : rest >= m ? rest - m : rest;
}

// What the double `product` lacks of a * b (Dekker).
function lost(a, b, product) {
  const wideA = a * SPLIT;
  const highA = wideA - (wideA - a);
  const lowA = a - highA;
  const wideB = b * SPLIT;
  const highB = wideB - (wideB - b);
  const lowB = b - highB;
  return lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB);
}

function passes(base, n, odd, twos) {
  let power = 1;
  let square = base % n;
  for (let rest = odd; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(power, square, n);
    square = multiply(square, square, n);
  }
  if (power === 1 || power === n - 1) return true;
  for (let i = 1; i < twos; i++) {
    power = multiply(power, power, n);
    if (power === n - 1) return true;
  }
  return false;
}

export function isPrime(n) {
  if (!(n < 2 ** 40)) throw new RangeError(`expected an integer below 2^40, got ${n}`);
  if (n < 2 || (n > 2 && n % 2 === 0)) return false;
  for (const small of SMALL) if (n % small === 0) return n === small;
  if (n < 97 * 97) return true;
  let odd = n - 1;
  let twos = 0;
  for (; odd % 2 === 0; odd /= 2) twos++;
  return BASES.every((base) => passes(base, n, odd, twos));
}
