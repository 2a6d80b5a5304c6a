"""Orders of curves modulo n with complex multiplication, their small primes, and the tests of what is left."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod

import gmpy2
from gmpy2 import mpz

from services.worker.prove.ecpp.discriminants import signed_primes

LEAST_GAIN = 2  # bits by which a cofactor is smaller than n: with less a step costs more than it brings

# Small primes are taken out up to 2^SMOOTH: of a number of so many bits, or fewer. A test of a cofactor costs as its bits' cube
# nearly, and its chance grows with the logarithm of the bound. The primorial takes 1.44 bits for each number up to the bound.
SMOOTH = ((700, 17), (1100, 18), (1500, 19), (1900, 20), (2500, 21), (3600, 22), (5000, 23), (7000, 24))
MOST_SMOOTH = 25  # 6 MB of primorial

Candidate = tuple[int, mpz, mpz]  # discriminant, t and s


def smooth_orders(n: mpz, discriminants: Sequence[int], roots: Mapping[int, mpz]) -> list[Candidate]:
    """Orders for these discriminants whose cofactors may lead on. `roots`: modulo n, of the signed primes in them."""
    found = [(discriminant, t) for discriminant in discriminants for t in traces(n, discriminant, roots)]
    if not found:
        return []
    numbers = [n + 1 - t for _, t in found]
    smooth = small_parts(numbers, primorial(smooth_bits(n)))
    least = gmpy2.isqrt(gmpy2.isqrt(n)) + 2
    least *= least
    greatest = n >> LEAST_GAIN
    return [
        (discriminant, t, s)
        for (discriminant, t), number, s in zip(found, numbers, smooth, strict=True)
        if least < number // s < greatest
    ]


def traces(n: mpz, discriminant: int, roots: Mapping[int, mpz]) -> list[mpz]:
    """Each t for which a curve with this discriminant has n + 1 - t points; none where n is no norm."""
    root = prod((roots[prime] for prime in signed_primes(discriminant)), start=mpz(1)) % n
    solution = solve_norm(n, discriminant, root)
    if solution is None:
        return []
    t, v = solution
    if discriminant == -4:
        return [t, -t, 2 * v, -2 * v]
    if discriminant == -3:
        return [t, -t, (t + 3 * v) // 2, -(t + 3 * v) // 2, (t - 3 * v) // 2, -(t - 3 * v) // 2]
    return [t, -t]


def solve_norm(n: mpz, discriminant: int, root: mpz) -> tuple[mpz, mpz] | None:
    """t and v with 4 n = t^2 - discriminant v^2, by Cornacchia's algorithm; `root`: of the discriminant modulo n."""
    if (root - discriminant) & 1:
        root = n - root
    bound = gmpy2.isqrt(4 * n)
    larger, smaller = 2 * n, root
    while smaller > bound:
        larger, smaller = smaller, larger % smaller
    square, rest = gmpy2.f_divmod(4 * n - smaller * smaller, -discriminant)
    if rest or not gmpy2.is_square(square):
        return None
    return smaller, gmpy2.isqrt(square)


def small_parts(numbers: Sequence[mpz], primes: mpz) -> list[mpz]:
    """Of each number the product of its prime factors that divide `primes`, with their powers."""
    tree = [list(numbers)]
    while len(tree[-1]) > 1:
        below = tree[-1]
        tree.append([prod(below[i : i + 2]) for i in range(0, len(below), 2)])
    rests = [primes % tree[-1][0]]
    for level in reversed(tree[:-1]):
        rests = [rests[i // 2] % number for i, number in enumerate(level)]
    return [small_part(number, rest) for number, rest in zip(numbers, rests, strict=True)]


def small_part(number: mpz, rest: mpz) -> mpz:
    """The same of one number; `rest`: of the primes' product modulo it."""
    found = mpz(1)
    common = gmpy2.gcd(number, rest)
    while common > 1:
        found *= common
        number //= common
        common = gmpy2.gcd(number, common)
    return found


def smooth_bits(n: mpz) -> int:
    """The logarithm to base 2 of the bound to which small primes are taken out of orders."""
    bits = n.bit_length()
    return next((smooth for most, smooth in SMOOTH if bits <= most), MOST_SMOOTH)


@lru_cache(maxsize=2)  # a proof goes down from one bound to the next
def primorial(bits: int) -> mpz:
    """The product of all primes below 2^bits."""
    return gmpy2.primorial(1 << bits)


def cofactor(n: mpz, t: mpz, s: mpz) -> mpz:
    """What is left of the order n + 1 - t without its small primes."""
    return (n + 1 - t) // s


def is_probable_prime(q: mpz) -> bool:
    """Whether a cofactor passes the test of Baillie, Pomerance, Selfridge and Wagstaff, whose first power tells most composites."""
    return bool(gmpy2.is_strong_prp(q, 2) and gmpy2.is_strong_selfridge_prp(q))
