"""Verifies certificates by prime factors of the number less one."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import isqrt, prod

from .arithmetic import gcd, jacobi
from .rejection import Note, Rejected, shorten
from .small import is_small_prime
from .structure import Pocklington, ProvenFactor

# Bases for a factor p of N-1 are sought among the primes below. Where N is prime, each has a chance of 1 - 1/p, so that more than a
# few misses tell of a composite. Only the factor 2 is different: of 1477!+1 every prime up to 1477 is a square, and can be no base.
MOST_BASES = 64
BASES_BELOW = 1 << 17


class Pocklingtons:
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
        part = prod((power_in(n - 1, p) for p in primes), start=1)
        expect(part**3 > n, "the factors of n - 1 are too few: their part F is not above n^(1/3)")
        high, middle = divmod((n - 1) // part, part)
        discriminant = middle * middle - 4 * high
        expect(part * part > n or discriminant < 0 or not is_square(discriminant), "n is a product of two factors 1 modulo F")
        self._done += 1
        self._note(self._done, self._steps)

    def _verify_factor(self, factor: ProvenFactor, expect: Callable[[bool, str], None]) -> None:
        if factor.certificate is None:
            expect(is_small_prime(factor.p), f"the factor {shorten(factor.p)} is no prime below 3.3e24 and has no certificate")
        else:
            expect(factor.certificate.n == factor.p, f"the certificate for the factor {shorten(factor.p)} is for another number")
            self.verify(factor.certificate)


def power_in(m: int, p: int) -> int:
    """The highest power of p that divides m."""
    if m % p:
        return 1
    square = power_in(m // p, p * p)  # by squares: the power of 2 may be one of many thousands
    return p * square * (p if m // p // square % p == 0 else 1)


def is_square(n: int) -> bool:
    """Whether n >= 0 is the square of a whole number."""
    return isqrt(n) ** 2 == n


def has_bases(n: int, factors: Sequence[ProvenFactor]) -> bool:
    """Whether each prime factor p of n - 1 has a base a with a^(n-1) = 1 modulo n and gcd(a^((n-1)/p) - 1, n) = 1."""
    if is_square(n) or not all(is_base(factor.base, n, factor.p) for factor in factors if factor.base is not None):
        return False
    left = [factor.p for factor in factors if factor.base is None]
    # A square is no base for 2 if n is prime, as is cheap to see; modulo a square every number looks like one.
    bases = (base for base in small_primes() if 2 not in left or jacobi(base, n) == -1)
    for base in islice(bases, MOST_BASES):
        if not left:
            break
        product = prod(left)
        power = pow(base, (n - 1) // product, n)
        if pow(power, product, n) != 1:
            return False  # n is composite
        left = [p for p, power in cofactor_powers(power, left, n) if gcd(power - 1, n) != 1]
    return not left


def small_primes() -> Iterator[int]:
    """The primes below BASES_BELOW, by the sieve of Eratosthenes."""
    sieve = bytearray([1]) * BASES_BELOW
    for p in range(2, BASES_BELOW):
        if sieve[p]:
            yield p
            sieve[p * p :: p] = bytes(len(range(p * p, BASES_BELOW, p)))


def is_base(base: int, n: int, p: int) -> bool:
    """Whether this base shows that the power of p in n - 1 divides d - 1 for every divisor d of n."""
    power = pow(base, (n - 1) // p, n)
    return bool(gcd(power - 1, n) == 1 and pow(power, p, n) == 1)


def cofactor_powers(power: int, primes: Sequence[int], n: int) -> Iterator[tuple[int, int]]:
    """Each prime p and a^((n-1)/p), from `power` = a^((n-1)/product of the primes), by halves: what they share is computed once."""
    if len(primes) == 1:
        yield primes[0], power
    else:
        first, second = primes[: len(primes) // 2], primes[len(primes) // 2 :]
        yield from cofactor_powers(pow(power, prod(second), n), first, n)
        yield from cofactor_powers(pow(power, prod(first), n), second, n)
