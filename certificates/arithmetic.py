"""Whole numbers that are fast where gmpy2 is installed, and Python's own elsewhere: the one place that decides.

What reads a certificate makes its numbers with `whole`. All else is `+`, `*`, `%` and `pow`, which numbers of both kinds have.
"""

try:
    from gmpy2 import gcd
    from gmpy2 import mpz as fast
except ImportError:
    from math import gcd

    fast = int

__all__ = ["gcd", "jacobi", "whole", "written"]

CHUNK = 4_000  # digits that Python's int() and str() convert at once: they stop at 4,300
_TOO_LONG = 10**CHUNK  # the least number of more digits


def whole(text: str, base: int) -> int:
    """The number that is written so: a sign, perhaps, and digits of base 10 or 16."""
    if fast is int and base == 10 and len(text) > CHUNK:
        return _read(text)
    value: int = fast(text, base)  # gmpy2's numbers do all that an int does
    return value


def _read(text: str) -> int:
    value = 0
    digits = text.removeprefix("-")
    for start in range(0, len(digits), CHUNK):
        chunk = digits[start : start + CHUNK]
        value = value * 10 ** len(chunk) + int(chunk)
    return -value if text.startswith("-") else value


def written(n: int) -> str:
    """The number in decimal."""
    chunks = []
    rest = abs(n)
    while rest >= _TOO_LONG:
        rest, chunk = divmod(rest, _TOO_LONG)
        chunks.append(str(chunk).zfill(CHUNK))
    return f"{'-' * (n < 0)}{rest}{''.join(reversed(chunks))}"


def jacobi(a: int, n: int) -> int:
    """The Jacobi symbol (a / n) of odd n > 0: -1 tells that a is no square modulo n."""
    symbol = 1
    a %= n
    while a:
        while a % 2 == 0:
            a //= 2
            symbol = -symbol if n % 8 in (3, 5) else symbol
        symbol = -symbol if a % 4 == n % 4 == 3 else symbol
        a, n = n % a, a
    return symbol if n == 1 else 0
