"""Verifies certificates by prime factors of the number less one."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import isqrt, prod

from .arithmetic import gcd, jacobi
from .rejection import Rejected, shorten
from .small import SMALL_BITS, is_small_prime
from .structure import Chain, MinusStep, Pocklington, ProvenFactor

# Bases for a factor p of N-1 are sought among the primes below. Where N is prime, each has a chance of 1 - 1/p, so that more than a
# few misses tell of a composite. Only the factor 2 is different: of 1477!+1 every prime up to 1477 is a square, and can be no base.
MOST_BASES = 64
BASES_BELOW = 1 << 17


def verify_minus_step(step: MinusStep, number: int) -> int:
    """The number q whose primality proves that of n, or raise Rejected.

    Let n - 1 = s q, q be an odd prime, a^(n-1) = 1 modulo n and gcd(a^s - 1, n) = 1. Then q divides the order of a modulo each
    prime p that divides n, and so p - 1, which is even: p > 2q. If (2q + 1)^2 > n, then n has no two of these.
    """
    n, s = step.n, step.s

    def expect(holds: bool, reason: str) -> None:
        if not holds:
            raise Rejected(number, n, reason)

    expect(n > 2 and n % 2 == 1, "n is below 3 or even")
    expect(s >= 1 and (n - 1) % s == 0, "s does not divide n - 1")
    q = (n - 1) // s
    expect(q > 1 and q % 2 == 1, "q = (n - 1) / s is no odd number above 1")
    expect((2 * q + 1) ** 2 > n, "q = (n - 1) / s is too small: 2 q + 1 is not above sqrt(n)")
    power = pow(step.base, s, n)
    expect(
        gcd(power - 1, n) == 1 and pow(power, q, n) == 1, "the base does not show that q divides p - 1 for each p that divides n"
    )
    return q


def verify_pocklington(certificate: Pocklington, number: int, prove: Callable[[Pocklington | Chain], None]) -> None:
    """Prove its number, or raise Rejected. `number`: of the step, for the message; `prove` proves what is within it.

    The theorems are those of Pocklington and of Brillhart, Lehmer and Selfridge.

    Let F be the part of n - 1 that the known prime factors p make up. If for each p there is a base a with a^(n-1) = 1 modulo n and
    gcd(a^((n-1)/p) - 1, n) = 1, then every divisor of n is 1 modulo F. If F > n^(1/3), then n has at most two prime factors,
    and if it has two, 1 + u F and 1 + v F, they are found in its digits to base F: n = 1 + (u + v) F + u v F^2.

    Where F is even and R = (n - 1)/F odd, somewhat less suffices (their theorem 5). If n = (1 + u F)(1 + v F), then
    R = u v F + u + v, so that one of u and v is even. With R = 2 F s + r and r < 2 F, u + v is r modulo 2 F. If it is r + 2 F or
    more, n is (F + 1)(2 F^2 + (r - 1) F + 1) at least; else u + v = r and u v = 2 s, so that r^2 - 8 s is a square and s is not 0.
    """
    n = certificate.n

    def expect(holds: bool, reason: str) -> None:
        if not holds:
            raise Rejected(number, n, reason)

    expect(n > 2 and n % 2 == 1, "n is below 3 or even")
    primes = [factor.p for factor in certificate.factors]
    expect(len(set(primes)) == len(primes), "a factor stands there twice")
    for factor in certificate.factors:
        expect(factor.p > 1 and (n - 1) % factor.p == 0, f"{shorten(factor.p)} is no factor of n - 1")
        if factor.certificate is None:
            expect(is_small_prime(factor.p), f"the factor {shorten(factor.p)} is no prime below 3.3e24 and has no certificate")
        else:
            expect(factor.certificate.n == factor.p, f"the certificate for the factor {shorten(factor.p)} is for another number")
            prove(factor.certificate)
    expect(has_bases(n, certificate.factors), "there is no base for a factor")
    part = prod((power_in(n - 1, p) for p in primes), start=1)
    rest = (n - 1) // part
    if part**3 > n:
        high, middle = divmod(rest, part)
        discriminant = middle * middle - 4 * high
        holds = part * part > n or discriminant < 0 or not is_square(discriminant)
    else:
        s, r = divmod(rest, 2 * part)
        enough = part % 2 == 0 and (part + 1) * (2 * part * part + (r - 1) * part + 1) > n
        expect(enough, "the factors of n - 1 are too few: their part F is not above n^(1/3)")
        holds = s == 0 or r * r < 8 * s or not is_square(r * r - 8 * s)
    expect(holds, "n is a product of two factors 1 modulo F")


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
    return find_bases(n, factors) is not None


def find_bases(n: int, factors: Sequence[ProvenFactor]) -> dict[int, int] | None:
    """Such a base for each p, those that are given among them; None where there is none for one of them."""
    if is_square(n) or not all(is_base(factor.base, n, factor.p) for factor in factors if factor.base is not None):
        return None
    found = {factor.p: factor.base for factor in factors if factor.base is not None}
    left = [factor.p for factor in factors if factor.base is None]
    # A square is no base for 2 if n is prime, as is cheap to see; modulo a square every number looks like one.
    bases = (base for base in small_primes() if 2 not in left or jacobi(base, n) == -1)
    for base in islice(bases, MOST_BASES):
        if not left:
            break
        product = prod(left)
        power = pow(base, (n - 1) // product, n)
        if pow(power, product, n) != 1:
            return None  # n is composite
        served = [p for p, power in cofactor_powers(power, left, n) if gcd(power - 1, n) == 1]
        found.update(dict.fromkeys(served, base))
        left = [p for p in left if p not in found]
    return None if left else found


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


def prove_small(p: int) -> Pocklington | None:
    """A certificate for a prime below 3.3e24, for who does not take it for one without; None where p - 1 is hard to factor."""
    rest = p - 1
    factors = []
    for prime in small_primes():
        if rest % prime == 0:
            factors.append(prime)
            rest //= power_in(rest, prime)
    if is_small_prime(rest):
        inner = None if rest.bit_length() <= SMALL_BITS else prove_small(rest)
        if inner is not None or rest.bit_length() <= SMALL_BITS:
            return Pocklington(p, (*map(ProvenFactor, factors), ProvenFactor(rest, None, inner)))
    return Pocklington(p, tuple(map(ProvenFactor, factors))) if ((p - 1) // rest) ** 3 > p else None
