"""Class invariants: numbers of small height that generate the same fields as j-invariants do, and lead to them.

Which function has such values at which discriminant is Weber's and Schertz' theorem (R. Schertz, Weber's class invariants
revisited, 2002): at the roots of forms [a, b, c] with a prime to a modulus N that divides b / 2.
"""

from enum import Enum
from typing import Any, NamedTuple

import gmpy2
from gmpy2 import mpz


class Function(Enum):
    """A modular function; f and f1 are Weber's."""

    J = "j"
    GAMMA_2 = "the cube root of j"
    F = "f / sqrt(2)"
    F_2 = "f^2 / sqrt(2)"
    F_4 = "f^4 / 2"
    F1_2 = "f1^2 / sqrt(2)"


# Of f or f1: its power in the function, and what 2 to this power is to be divided by, in halves.
POWERS = {Function.F: (1, 1), Function.F_2: (2, 1), Function.F_4: (4, 2), Function.F1_2: (2, 1)}


class Invariant(NamedTuple):
    """`power`, 1 or 3, of a function's values at the forms of this discriminant."""

    discriminant: int  # four times the curves' own where that is 1 modulo 8: the field is the same
    function: Function
    power: int

    @property
    def modulus(self) -> int:
        """To which a of each form is prime, and by which b / 2 is divisible."""
        if self.function in POWERS:
            return 48 // self.power
        return 3 if self.function is Function.GAMMA_2 else 1

    def value(self, pari: Any, form: tuple[int, int, int], root: Any, bits: int) -> Any:
        """At the root of the form, in floating point of so many bits; `root`: of the discriminant."""
        a, b, _ = form
        tau = (root - b) / (2 * a)
        if self.function is Function.J:
            return pari.ellj(tau, precision=bits)
        weber = pari.weber(tau, int(self.function is Function.F1_2), precision=bits)
        if self.function is Function.GAMMA_2:
            return (weber**24 - 16) / weber**8
        power, halves = POWERS[self.function]
        value = weber**power / (pari(2) if halves == 2 else pari(2).sqrt(precision=bits))
        # sqrt(2) is none of the field: it changes its sign where the function does not.
        return (-value if halves == 1 and gmpy2.kronecker(2, a) < 0 else value) ** self.power

    def j(self, value: mpz, n: mpz) -> mpz:
        """The j-invariant modulo n. Raises ArithmeticError where it is none."""
        if self.function is Function.J:
            return value % n
        if self.function is Function.GAMMA_2:
            return gmpy2.powmod(value, 3, n)
        power, halves = POWERS[self.function]
        weber = gmpy2.powmod(value, 24 // (power * self.power), n) * 2 ** (12 * halves // power) % n  # f^24 or f1^24
        shifted = weber + 16 if self.function is Function.F1_2 else weber - 16
        return gmpy2.powmod(shifted, 3, n) * gmpy2.invert(weber, n) % n


def choose(discriminant: int) -> Invariant:
    """The one of least height that is known for a fundamental discriminant below -4."""
    power = 1 if discriminant % 3 else 3
    if discriminant % 8 == 5:
        return Invariant(discriminant, Function.GAMMA_2 if power == 1 else Function.J, 1)
    if discriminant % 8 == 1:
        return Invariant(4 * discriminant, Function.F, power)
    function = {1: Function.F_2, 5: Function.F_4}.get(-discriminant // 4 % 8, Function.F1_2)
    return Invariant(discriminant, function, power)
