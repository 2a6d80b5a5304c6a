"""Verifies certificates by prime factors of the number plus one, alone or with those of the number less one."""

from collections.abc import Callable, Iterator, Sequence
from math import prod

from .arithmetic import gcd, jacobi
from .n_minus_1 import has_bases, is_square, power_in
from .rejection import Rejected, shorten
from .small import is_small_prime
from .structure import Morrison, PlusStep, ProvenFactor

# If n is prime, half of all numbers are no squares modulo n, and half of all x suit the factor 2: more misses tell of a composite.
MOST_DISCRIMINANTS = 128
MOST_TRACES = 1_024  # of n!-1 every small number is a square: x^2 - D must have a larger prime


def verify_plus_step(step: PlusStep, number: int) -> int:
    """The number q whose primality proves that of n, or raise Rejected (Brillhart, Lehmer and Selfridge, theorem 15).

    Let n + 1 = s q, q be an odd prime, and V the Lucas sequence of P and Q, whose D = P^2 - 4 Q has the Jacobi symbol (D/n) = -1.
    Let V((n+1)/2) = 0 modulo n and gcd(V(s/2), n) = 1. Modulo a prime d that divides n, V(k) = 0 says that the k-th power of the
    quotient of both roots is -1. So its order divides n + 1 and, as q is odd, would divide s if it were prime to q; then its s-th
    power were 1, and its s/2-th 1, which contradicts the first, or -1, which contradicts the second. So q divides the order, and
    d - (D/d), which is even: d >= 2q - 1. If (2q - 1)^2 > n, then n has no two of these.
    """
    n, s = step.n, step.s

    def expect(holds: bool, reason: str) -> None:
        if not holds:
            raise Rejected(number, n, reason)

    expect(n > 2 and n % 2 == 1, "n is below 3 or even")
    expect(s >= 1 and (n + 1) % s == 0, "s does not divide n + 1")
    q = (n + 1) // s
    expect(q > 1 and q % 2 == 1, "q = (n + 1) / s is no odd number above 1")
    expect((2 * q - 1) ** 2 > n, "q = (n + 1) / s is too small: 2 q - 1 is not above sqrt(n)")
    expect(jacobi(step.p * step.p - 4 * step.q, n) == -1, "the discriminant's Jacobi symbol is not -1")
    expect(gcd(general_lucas(step.p, step.q, s // 2, n), n) == 1, "V(s/2) has a factor in common with n")
    expect(general_lucas(step.p, step.q, (n + 1) // 2, n) == 0, "V((n+1)/2) is not 0 modulo n")
    return q


def verify_morrison(certificate: Morrison, number: int) -> None:
    """Prove its number, or raise Rejected. `number`: of the step, for the message.

    Let D be no square modulo n (the Jacobi symbol is -1), and a of norm 1 in the ring of x + y sqrt(D) modulo n. Let F2 be the
    part of n + 1 that the primes q make up. If for each q there is such an a with a^(n+1) = 1, where a^((n+1)/q) - 1 has a norm
    without a factor in common with n, then modulo each prime d that divides n the order of a is a multiple of q's power in F2. The
    elements of norm 1 are d - (D/d), so d is (D/d) modulo F2 (Morrison, "A note on primality testing using Lucas sequences", 1975;
    Brillhart, Lehmer and Selfridge, "New primality criteria and factorizations of 2^m +- 1", 1975, theorems 14 and 15). By their
    theorem 4 each d is 1 modulo the part F1 of n - 1. As (D/n) = -1, some d has (D/d) = -1; let L be the least common multiple of
    F1 and F2. That d is n modulo L, and n/d is 1 modulo L.

    If L^2 > n, and n/d is not 1, it is above L, so that d is the remainder of n modulo L itself, which is tried (theorem 20 says
    more than that). Else, without factors of n - 1, let L^3 > n: with d = j L - 1 and n/d = k L + 1 it is
    (n + 1)/L = j k L + (j - k), and j k and j - k are found in that (theorem 17).
    """
    n = certificate.n

    def expect(holds: bool, reason: str) -> None:
        if not holds:
            raise Rejected(number, n, reason)

    expect(n > 2 and n % 2 == 1, "n is below 3 or even")
    expect(not is_square(n), "n is a square")
    _verify_factors(certificate.minus, n - 1, "n - 1", expect)
    _verify_factors(certificate.plus, n + 1, "n + 1", expect)
    minus = prod((power_in(n - 1, p) for p in certificate.minus), start=1)
    plus = prod((power_in(n + 1, q) for q in certificate.plus), start=1)
    expect(plus > 2, "the factors of n + 1 are too few: their part F2 is not above 2")
    if certificate.minus:
        expect(has_bases(n, [ProvenFactor(p) for p in certificate.minus]), "there is no base for a factor of n - 1")
    expect(_has_traces(n, certificate.plus), "there is no Lucas sequence for a factor of n + 1")
    known = minus * plus // gcd(minus, plus)
    if known * known > n:
        rest = n % known
        expect(rest in (1, n) or rest == 0 or n % rest != 0, "n is divided by what it is modulo L")
    else:
        expect(minus == 1 and known**3 > n, "the factors are too few: L is not above sqrt(n), and F2 alone not above n^(1/3)")
        expect(not _splits(n, known), "n is a product of two factors -1 and 1 modulo F2")


def _verify_factors(primes: Sequence[int], multiple: int, name: str, expect: Callable[[bool, str], None]) -> None:
    expect(len(set(primes)) == len(primes), f"a factor of {name} stands there twice")
    for p in primes:
        expect(p > 1 and multiple % p == 0, f"{shorten(p)} is no factor of {name}")
        expect(is_small_prime(p), f"the factor {shorten(p)} is no prime below 3.3e24")


def _splits(n: int, known: int) -> bool:
    """Whether n = (j L - 1)(k L + 1) for some j, k >= 1, for L = `known` above the cube root of n."""
    quotient = (n + 1) // known
    for difference in (quotient % known - step * known for step in range(3)):  # |j - k| is L + 1 at most
        product = (quotient - difference) // known
        if product > 0 and is_square(difference * difference + 4 * product):
            return True
    return False


def _has_traces(n: int, primes: Sequence[int]) -> bool:
    """Whether each prime factor q of n + 1 has an element of norm 1 as the theorem asks for, all with the same D."""
    found = next((d for d in (-1, *range(2, MOST_DISCRIMINANTS)) if jacobi(d, n) == -1), None)
    if found is None:
        return False
    left = list(primes)
    for trace in _traces(n, found, 2 in left):
        if not left:
            break
        if lucas(trace, n + 1, n) != 2:
            return False  # n is composite
        left = [q for q in left if gcd(lucas(trace, (n + 1) // q, n) - 2, n) != 1]
    return not left


def _traces(n: int, d: int, suit_two: bool) -> Iterator[int]:
    """Traces of (x + sqrt(D))/(x - sqrt(D)), whose norm is 1, for x = 1, 2, …; a square x^2 - D suits not 2."""
    for x in range(1, MOST_TRACES):
        norm = x * x - d
        if gcd(x * norm, n) == 1 and not (suit_two and jacobi(norm, n) == 1):
            yield 2 * (x * x + d) * pow(norm, -1, n) % n


def lucas(trace: int, index: int, n: int) -> int:
    """V of the index >= 1 modulo n, of the sequence with V(0) = 2, V(1) = trace, V(i+1) = trace V(i) - V(i-1): of a number of
    norm 1 with this trace it is the trace of its power. Twos of the index cost a squaring each, as in the test of Lucas and Lehmer.
    """
    twos = (index & -index).bit_length() - 1
    low, high = 2, trace
    for bit in bin(index >> twos)[2:]:
        middle = low * high - trace
        if bit == "1":
            low, high = middle % n, (high * high - 2) % n
        else:
            low, high = (low * low - 2) % n, middle % n
    for _ in range(twos):
        low = (low * low - 2) % n
    return low


def general_lucas(p: int, q: int, index: int, n: int) -> int:
    """V of the index >= 0 modulo n, of the sequence with V(0) = 2, V(1) = p, V(i+1) = p V(i) - q V(i-1)."""
    low, high, power = 2, p, 1  # V(k), V(k+1) and q^k
    for bit in bin(index)[2:] if index else "":
        middle = (low * high - p * power) % n
        if bit == "1":
            low, high, power = middle, (high * high - 2 * power * q) % n, power * power * q % n
        else:
            low, high, power = (low * low - 2 * power) % n, middle, power * power % n
    return low % n
