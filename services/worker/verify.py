"""Checks primality certificates, with gmpy2 and without whatever made them: `python -m services.worker.verify FILE…`.

Every condition that the theorems ask for is checked with whole numbers. docs/certificates.md tells them.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from math import prod
from pathlib import Path

import gmpy2
from gmpy2 import mpz

from services.worker.certificate import (
    MOST_BYTES,
    MOST_DIGITS,
    Affine,
    Certificate,
    Chain,
    Coefficients,
    Curve,
    Factor,
    Malformed,
    Pocklington,
    Step,
    read,
)

# The 13 smallest primes as bases of the strong probable prime test decide every n below this bound
# (Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2017; OEIS A014233).
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
BASES_BOUND = 3_317_044_064_679_887_385_961_981

# Bases for a factor p of N-1 are sought among the primes below. Where N is prime, each has a chance of 1 - 1/p, so that more than a
# few misses tell of a composite. Only the factor 2 is different: of 1477!+1 every prime up to 1477 is a square, and can be no base.
MOST_BASES = 64
BASES_UP_TO = 1 << 17

SHOWN = 24  # digits of a number that are shown of a longer one

Note = Callable[[int, int], None]


class Rejected(Exception):
    """The certificate proves nothing; the message says which step fails, and why."""

    def __init__(self, step: int, n: mpz, reason: str) -> None:
        super().__init__(f"step {step} ({shorten(n)}): {reason}")
        self.step = step  # from 1 on; of a small number's certificate, 0
        self.reason = reason


def ignore(_done: int, _steps: int) -> None:
    """For whoever does not watch."""


def verify(certificate: Certificate, note: Note = ignore) -> None:
    """Prove the certificate's number prime, or raise Rejected. `note` is told of each step that holds."""
    if isinstance(certificate, Chain):
        _verify_chain(certificate, note)
    else:
        _Pocklingtons(certificate.length, note).verify(certificate)


def is_small_prime(n: mpz) -> bool:
    """Whether n is a prime below 3.3e24, by strong tests that are exact there."""
    if n < 2 or n >= BASES_BOUND:
        return False
    return n in BASES or (all(n % p for p in BASES) and all(_passes(n, base) for base in BASES))


def _passes(n: mpz, base: int) -> bool:
    """The strong probable prime test (Miller-Rabin), for odd n that the base does not divide."""
    twos = gmpy2.bit_scan1(n - 1)
    power = gmpy2.powmod(base, (n - 1) >> twos, n)
    if power in (1, n - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % n
        if power == n - 1:
            return True
    return False


def _verify_chain(chain: Chain, note: Note) -> None:
    n = chain.n
    for number, step in enumerate(chain.steps, 1):
        if step.n != n:
            raise Rejected(number, step.n, f"expected {shorten(n)} here")
        n = _CurveStep(number, step).quotient()
        note(number, chain.length)
    if not is_small_prime(n):
        raise Rejected(chain.length, n, "the last number is no prime below 3.3e24")


class _CurveStep:
    """One step of ECPP, by the theorem of Goldwasser and Kilian.

    Let gcd(n, 6) = 1, the curve be non-singular modulo each prime p that divides n, q be a prime above (n^(1/4) + 1)^2, and Q a
    point that is O modulo no such p, with [q]Q = O modulo each. Then Q has order q modulo each p. A curve modulo p has at most
    (sqrt(p) + 1)^2 points (Hasse), so p > sqrt(n); as that holds for each p, n is prime.
    """

    def __init__(self, number: int, step: Step) -> None:
        self._number = number
        self._step = step

    def _expect(self, holds: bool, reason: str) -> None:
        if not holds:
            raise Rejected(self._number, self._step.n, reason)

    def quotient(self) -> mpz:
        """The number q whose primality proves that of n."""
        n, t, s = self._step.n, self._step.t, self._step.s
        self._expect(n > 1 and gmpy2.gcd(n, 6) == 1, "n is below 5, or 2 or 3 divides it")
        self._expect(t * t <= 4 * n, "t lies outside Hasse's bound, |t| <= 2 sqrt(n)")
        m = n + 1 - t
        self._expect(s >= 1 and m % s == 0, "s does not divide m = n + 1 - t")
        q = m // s
        self._expect(exceeds_bound(q, n), "q = m / s is not above (n^(1/4) + 1)^2")
        self._multiply_point(n, s, q)
        return q

    def _multiply_point(self, n: mpz, s: mpz, q: mpz) -> None:
        a, b, x, y = place(self._step.curve, n)
        self._expect((y * y - (x * x + a) * x - b) % n == 0, "the point does not lie on the curve")
        self._expect(gmpy2.gcd(4 * a * a * a + 27 * b * b, n) == 1, "the curve is singular modulo a factor of n")
        x, y, z = multiply(s, x, y, a, n)
        self._expect(gmpy2.gcd(z, n) == 1, "[s]P is O modulo a factor of n")
        inverse = gmpy2.invert(z, n)
        square = inverse * inverse % n
        x, y = x * square % n, y * square * inverse % n
        # [q]Q = O is checked as [q-1]Q = -Q: both sides are finite, so that no coordinate is divided by what is 0 modulo a factor.
        far_x, far_y, z = multiply(q - 1, x, y, a, n)
        self._expect(gmpy2.gcd(z, n) == 1, "[m-s]P is O modulo a factor of n")
        square = z * z % n
        self._expect((far_x - x * square) % n == 0 and (far_y + y * square * z) % n == 0, "[m]P is not O")


def exceeds_bound(q: mpz, n: mpz) -> bool:
    """Whether q > (n^(1/4) + 1)^2, that is (sqrt(q) - 1)^4 > n, in whole numbers."""
    rest = q * q + 6 * q + 1 - n  # (sqrt(q) - 1)^4 - n = rest - 4 (q + 1) sqrt(q)
    return bool(q > 1 and rest > 0 and rest * rest > 16 * q * (q + 1) ** 2)


def place(curve: Curve, n: mpz) -> tuple[mpz, mpz, mpz, mpz]:
    """The curve's a and b and the point's x and y modulo n."""
    if isinstance(curve, Affine):
        a, x, y = curve.a % n, curve.x % n, curve.y % n
        return a, (y * y - (x * x + a) * x) % n, x, y
    if isinstance(curve, Coefficients):
        a, b = curve.a, curve.b
    else:
        a, b = 3 * curve.j * (1728 - curve.j), 2 * curve.j * (1728 - curve.j) ** 2
    # The point is (t l, l^2) on the curve with the coefficients a l^2 and b l^3: no square root is needed.
    t = curve.t
    scale = (t * t * t + a * t + b) % n
    square = scale * scale % n
    return a * square % n, b * square * scale % n, t * scale % n, square


def multiply(k: mpz, x: mpz, y: mpz, a: mpz, n: mpz) -> tuple[mpz, mpz, mpz]:
    """[k](x, y) for k >= 1 in Jacobian coordinates X, Y, Z: the point (X / Z^2, Y / Z^3). It is right if gcd(Z, n) = 1.

    n may be composite, so what counts is what happens modulo a prime p that divides it. The formulas fail where a point is added to
    O or to itself. Both leave a Z that p divides, as O does, and from then on p divides every Z, since each is a multiple of the
    one before. So a last Z without a factor in common with n tells that nothing failed on the way, modulo any p.
    """
    big_x, big_y, z = x, y, mpz(1)
    triple = 3 * k
    for bit in range(triple.bit_length() - 2, 0, -1):  # the digits 1, 0, -1 of k: a third as many additions as doublings
        square_y = big_y * big_y % n
        middle = 4 * big_x * square_y % n
        square_z = z * z % n
        slope = (3 * big_x * big_x + a * (square_z * square_z % n)) % n
        z = 2 * big_y * z % n
        big_x = (slope * slope - 2 * middle) % n
        big_y = (slope * (middle - big_x) - 8 * square_y * square_y) % n
        digit = triple.bit_test(bit) - k.bit_test(bit)
        if digit:
            square_z = z * z % n
            across = (x * square_z - big_x) % n
            up = (digit * y * (square_z * z % n) - big_y) % n
            square = across * across % n
            cube = square * across % n
            start = big_x * square % n
            big_x = (up * up - cube - 2 * start) % n
            big_y = (up * (start - big_x) - big_y * cube) % n
            z = z * across % n
    return big_x, big_y, z


class _Pocklingtons:
    """N-1 certificates within each other, by the theorems of Pocklington and of Brillhart, Lehmer and Selfridge.

    Let F be the part of n - 1 that the known prime factors p make up. If for each p there is a base a with a^(n-1) = 1 modulo n and
    gcd(a^((n-1)/p) - 1, n) = 1, then every divisor of n is 1 modulo F. If F > n^(1/3), then n has at most two prime factors,
    and if it has two, 1 + u F and 1 + v F, they are found in its digits to base F: n = 1 + (u + v) F + u v F^2.
    """

    def __init__(self, steps: int, note: Note) -> None:
        self._steps = steps
        self._note = note
        self._begun = 0
        self._done = 0

    def verify(self, certificate: Pocklington) -> None:
        """Prove it and those within it, or raise Rejected."""
        self._begun += 1
        n, number = certificate.n, self._begun

        def expect(holds: bool, reason: str) -> None:
            if not holds:
                raise Rejected(number, n, reason)

        expect(n > 2 and n % 2 == 1, "n is below 3 or even")
        primes = [factor.p for factor in certificate.factors]
        expect(len(set(primes)) == len(primes), "a factor stands there twice")
        for factor in certificate.factors:
            expect(factor.p > 1 and (n - 1) % factor.p == 0, f"{shorten(factor.p)} is no factor of n - 1")
            self._verify_factor(factor, expect)
        expect(has_bases(n, certificate.factors), "there is no base for a factor")
        part = prod((power_in(n - 1, p) for p in primes), start=mpz(1))
        expect(part**3 > n, "the factors of n - 1 are too few: their part F is not above n^(1/3)")
        high, middle = gmpy2.f_divmod((n - 1) // part, part)
        discriminant = middle * middle - 4 * high
        expect(part * part > n or discriminant < 0 or not gmpy2.is_square(discriminant), "n is a product of two factors 1 modulo F")
        self._done += 1
        self._note(self._done, self._steps)

    def _verify_factor(self, factor: Factor, expect: Callable[[bool, str], None]) -> None:
        if factor.certificate is None:
            expect(is_small_prime(factor.p), f"the factor {shorten(factor.p)} is no prime below 3.3e24 and has no certificate")
        else:
            expect(factor.certificate.n == factor.p, f"the certificate for the factor {shorten(factor.p)} is for another number")
            self.verify(factor.certificate)


def power_in(m: mpz, p: mpz) -> mpz:
    """The highest power of p that divides m."""
    rest, _ = gmpy2.remove(m, p)
    return m // rest


def has_bases(n: mpz, factors: Sequence[Factor]) -> bool:
    """Whether each prime factor p of n - 1 has a base a with a^(n-1) = 1 modulo n and gcd(a^((n-1)/p) - 1, n) = 1."""
    if not all(is_base(factor.base, n, factor.p) for factor in factors if factor.base is not None):
        return False
    left = [factor.p for factor in factors if factor.base is None]
    base, tried = mpz(1), 0
    while left and tried < MOST_BASES and base < BASES_UP_TO:
        base = gmpy2.next_prime(base)
        if 2 in left and gmpy2.jacobi(base, n) != -1:
            continue  # no base for 2 if n is prime, as is cheap to see
        tried += 1
        product = prod(left)
        power = gmpy2.powmod(base, (n - 1) // product, n)
        if gmpy2.powmod(power, product, n) != 1:
            return False  # n is composite
        left = [p for p, power in cofactor_powers(power, left, n) if gmpy2.gcd(power - 1, n) != 1]
    return not left


def is_base(base: mpz, n: mpz, p: mpz) -> bool:
    """Whether this base shows that the power of p in n - 1 divides d - 1 for every divisor d of n."""
    power = gmpy2.powmod(base, (n - 1) // p, n)
    return bool(gmpy2.gcd(power - 1, n) == 1 and gmpy2.powmod(power, p, n) == 1)


def cofactor_powers(power: mpz, primes: Sequence[mpz], n: mpz) -> Iterator[tuple[mpz, mpz]]:
    """Each prime p and a^((n-1)/p), from `power` = a^((n-1)/product of the primes), by halves: what they share is computed once."""
    if len(primes) == 1:
        yield primes[0], power
    else:
        first, second = primes[: len(primes) // 2], primes[len(primes) // 2 :]
        yield from cofactor_powers(gmpy2.powmod(power, prod(second), n), first, n)
        yield from cofactor_powers(gmpy2.powmod(power, prod(first), n), second, n)


def shorten(n: mpz) -> str:
    """A number in decimal, a long one by its ends."""
    digits = gmpy2.digits(n)
    return digits if len(digits) <= SHOWN else f"{digits[: SHOWN // 2]}…{digits[-SHOWN // 2 :]}"


class Progress:
    """One line on a terminal that says how far a certificate has been checked."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = time.monotonic()

    def note(self, done: int, steps: int) -> None:
        """So many steps hold. Shown five times a second."""
        if sys.stderr.isatty() and time.monotonic() - self._shown > 0.2:
            self._shown = time.monotonic()
            print(f"\r{self._name}: {done} of {steps} steps\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line empty."""
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check files, one line each. 0: all are proven; 1: a certificate proves nothing; 2: a file is none, or a bad command line."""
    parser = argparse.ArgumentParser(
        prog="python -m services.worker.verify",
        description="Checks primality certificates in Primo's format 4 or as PARI prints them.",
        epilog="Exit status: 0 all are proven, 1 a certificate proves nothing (or another number), 2 a file cannot be read.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a certificate; - for standard input")
    parser.add_argument("--number", type=decimal, metavar="N", help="the number that every certificate must prove, in decimal")
    options = parser.parse_args(arguments)
    try:
        return max([check(name, options.number) for name in options.files])
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def decimal(text: str) -> mpz:
    """A number of the command line."""
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"expected up to {MOST_DIGITS} decimal digits")
    return mpz(text)


def check(name: str, number: mpz | None) -> int:
    """Check one file, print its line, and return the exit status that it asks for."""
    progress = Progress(name)
    started = time.perf_counter()
    try:
        certificate = read(load(name))
        if number is not None and certificate.n != number:
            raise Rejected(0, certificate.n, f"expected a certificate for {shorten(number)}")
        verify(certificate, progress.note)
        digits = len(gmpy2.digits(certificate.n))
        seconds = time.perf_counter() - started
        proof = f"{certificate.kind}, {certificate.length} steps, {seconds:.3f} s"
        status, told = 0, f"{shorten(certificate.n)} is prime: {digits} digits, {proof}"
    except Rejected as error:
        status, told = 1, f"not proven, {error}"
    except (Malformed, OSError) as error:
        status, told = 2, f"not read, {error}"
    progress.clear()
    print(f"{name}: {told}", file=sys.stderr if status == 2 else sys.stdout)
    return status


def load(name: str) -> bytes:
    """What the file holds; one byte more than allowed at most."""
    if name == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(MOST_BYTES + 1)


if __name__ == "__main__":
    sys.exit(main())
