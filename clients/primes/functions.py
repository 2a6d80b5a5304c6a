"""The values of factorials, primorials and functions; what has too many bits is refused before it is computed."""

import math
from collections.abc import Callable
from itertools import compress

MOST_BITS = 140_000  # of a value and of all on the way to it: 42,000 digits, four times what a server takes by default
MOST_OPERAND = 150_000  # of n! and n#: above, the value has more bits than that
MOST_INDEX = 205_000  # of fib(n) and luc(n): above, the value has more bits than that
MOST_PRIME = 10_000  # n of p(n), as on the server
MOST_CYCLOTOMIC = 1_000_000  # n of Phi(n,x), as on the server
_LAST_PRIME = 104_729  # p(MOST_PRIME)


class NotANumber(ValueError):
    """The text is neither an integer nor an expression that has an integer value, or its value is too large to compute here."""


def bounded(value: int) -> int:
    """The value. Raises NotANumber where it has more than MOST_BITS."""
    if value.bit_length() > MOST_BITS:
        raise NotANumber(f"expected at most {MOST_BITS:,} bits, got {value.bit_length():,}")
    return value


def _check_bits(least: float) -> None:
    if least > MOST_BITS:
        raise NotANumber(f"expected at most {MOST_BITS:,} bits, got more")


def _check_operand(name: str, n: int, low: int, high: int) -> None:
    if not low <= n <= high:
        raise NotANumber(f"expected an operand of {name} from {low} to {high:,}")


def factorial(n: int) -> int:
    """n!"""
    _check_operand("!", n, 0, MOST_OPERAND)
    return bounded(math.factorial(n))


def multifactorial(n: int, m: int) -> int:
    """n(n-m)(n-2m)… down to the last one above 0."""
    if n < 0 or m < 1:
        raise NotANumber("expected n of at least 0 and m of at least 1 in n!m")
    factors = max(n - 1, 0) // m  # but for the last one; they are above m, 2m, 3m, …
    _check_operand("!m", factors, 0, MOST_OPERAND)
    _check_bits(factors * (m.bit_length() - 1) + math.lgamma(factors + 1) / math.log(2))
    return bounded(math.prod(range(n, 0, -m)))


def primorial(n: int) -> int:
    """The product of all primes up to n."""
    _check_operand("#", n, 0, MOST_OPERAND)
    return bounded(math.prod(_primes(n)))


def _primes(most: int) -> list[int]:
    """By the sieve of Eratosthenes."""
    sieve = bytearray([1]) * (most + 1)
    sieve[:2] = bytes(min(2, most + 1))
    for number in range(2, math.isqrt(most) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, most + 1, number)))
    return list(compress(range(most + 1), sieve))


def _fibonacci(n: int) -> int:
    _check_operand("fib", n, 0, MOST_INDEX)
    return bounded(_pair(n)[0])


def _lucas(n: int) -> int:
    _check_operand("luc", n, 0, MOST_INDEX)
    a, b = _pair(n)
    return bounded(2 * b - a)


def _pair(n: int) -> tuple[int, int]:
    """The Fibonacci numbers n and n + 1, by doubling the index."""
    a, b = 0, 1
    for bit in f"{n:b}":
        a, b = a * (2 * b - a), a * a + b * b
        if bit == "1":
            a, b = b, a + b
    return a, b


def _binomial(n: int, k: int) -> int:
    if n < 0 or k < 0:
        raise NotANumber("expected n and k of at least 0 in binomial(n,k)")
    k = min(k, n - k)
    if k > 0:
        _check_operand("binomial", k, 0, MOST_BITS)
        _check_bits(k * (math.log2(n) - math.log2(k)))  # the value is at least (n/k)^k
    return bounded(math.comb(n, k)) if k >= 0 else 0


def _cyclotomic(n: int, x: int) -> int:
    """The value at x of the cyclotomic polynomial: x^(n/d)-1 and their inverses multiplied over square-free divisors d of n."""
    _check_operand("Phi", n, 1, MOST_CYCLOTOMIC)
    if abs(x) < 2:
        raise NotANumber("expected x from 2 on, or below -1, in Phi(n,x)")
    divisors, degree = [(1, 1)], n
    for p in _primes_of(n):
        divisors += [(d * p, -sign) for d, sign in divisors]
        degree -= degree // p
    _check_bits((degree - 1) * math.log2(abs(x)))
    above = math.prod(x ** (n // d) - 1 for d, sign in divisors if sign > 0)
    below = math.prod(x ** (n // d) - 1 for d, sign in divisors if sign < 0)
    return bounded(above // below)


def _primes_of(n: int) -> list[int]:
    """Those that divide n, by trial division."""
    found = []
    for p in range(2, math.isqrt(n) + 1):
        if n % p == 0:
            found.append(p)
            while n % p == 0:
                n //= p
    return [*found, n] if n > 1 else found


def _prime(n: int) -> int:
    _check_operand("p", n, 1, MOST_PRIME)
    return _primes(_LAST_PRIME)[n - 1]


# How many operands each takes, and its value.
FUNCTIONS: dict[str, tuple[int, Callable[..., int]]] = {
    "binomial": (2, _binomial),
    "fib": (1, _fibonacci),
    "fibonacci": (1, _fibonacci),
    "luc": (1, _lucas),
    "lucas": (1, _lucas),
    "p": (1, _prime),
    "Phi": (2, _cyclotomic),
}
