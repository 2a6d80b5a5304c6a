"""Square roots modulo a prime."""

from collections.abc import Iterator, Sequence

import gmpy2
from gmpy2 import mpz


def square_roots(numbers: Sequence[int], n: mpz) -> Iterator[mpz]:
    """A root modulo n of each. Raises ArithmeticError where there is none, as it may be if n is composite."""
    extract = RootExtractor(n)
    return (extract.root(mpz(number)) for number in numbers)


def square_root(number: mpz, n: mpz) -> mpz:
    """A root modulo n. Raises ArithmeticError where there is none."""
    return RootExtractor(n).root(number)


class RootExtractor:
    """Square roots modulo one n, by Tonelli and Shanks: a power of each number, and another one for all of them."""

    def __init__(self, n: mpz) -> None:
        self._n = n
        self._twos = gmpy2.bit_scan1(n - 1)
        self._odd = (n - 1) >> self._twos
        # Generates the squares' 2-part; a number that n - 1 is a multiple of 4 for needs it.
        self._generator = gmpy2.powmod(non_residue(n), self._odd, n) if self._twos > 1 else n - 1

    def root(self, number: mpz) -> mpz:
        """Raises ArithmeticError where there is none."""
        n = self._n
        number %= n
        if number == 0:
            return number
        power = gmpy2.powmod(number, self._odd >> 1, n)
        root = power * number % n
        rest = power * root % n  # root^2 = number * rest, and the order of rest is a power of 2
        generator, twos = self._generator, self._twos
        while rest != 1:
            order, square = 0, rest
            while square != 1:
                square = square * square % n
                order += 1
                if order >= twos:
                    raise ArithmeticError("a number that should be a square has no root: n is not prime")
            step = generator
            for _ in range(twos - order - 1):
                step = step * step % n
            root = root * step % n
            generator = step * step % n
            rest = rest * generator % n
            twos = order
        if root * root % n != number:
            raise ArithmeticError("a square root is wrong: n is not prime")
        return root


def non_residue(n: mpz) -> int:
    """The least prime that is no square modulo n. Raises ArithmeticError where none is below 10,000."""
    p = 2
    while gmpy2.jacobi(p, n) != -1:
        p = int(gmpy2.next_prime(p))
        if p > 10_000:  # a prime n has one below 2 (ln n)^2 by the Riemann hypothesis, and mostly below 50
            raise ArithmeticError("no small number is a non-residue: n is not prime")
    return p
