"""Roots modulo a prime of polynomials that split, and with them the invariants of class fields."""

import random
from typing import Any

import flint
import gmpy2
from flint.utils.flint_exceptions import DomainError
from gmpy2 import mpz

from services.worker.prove.ecpp.classfields import ClassField, Coefficients
from services.worker.prove.ecpp.residues import square_root

MOST_SPLITS = 60  # of one polynomial: each fails for one in two at most


def find_j(n: mpz, field: ClassField) -> mpz:
    """A j-invariant modulo n of curves of the field. Raises ArithmeticError where there is none."""
    generator = mpz(field.base)
    for level in field.levels:
        derivative = tuple(k * c for k, c in enumerate(level.below))[1:]
        inverse = gmpy2.invert(evaluate(derivative, generator, n), n)
        lower = [evaluate(numerator, generator, n) * inverse % n for numerator in level.numerators]
        generator = root([*lower, mpz(1)], n)
    return field.invariant.j(generator, n)


def evaluate(polynomial: Coefficients, x: mpz, n: mpz) -> mpz:
    """Its value modulo n."""
    value = mpz(0)
    for coefficient in reversed(polynomial):
        value = (value * x + coefficient) % n
    return value


def root(polynomial: list[mpz], n: mpz) -> mpz:
    """One root modulo n of a monic polynomial that splits; coefficients from the constant on. Raises ArithmeticError."""
    if len(polynomial) == 2:
        return -polynomial[0] % n
    if len(polynomial) == 3:
        half = polynomial[1] * gmpy2.invert(2, n) % n
        return (square_root(half * half - polynomial[0], n) - half) % n
    return split_off(polynomial, n)


def split_off(polynomial: list[mpz], n: mpz) -> mpz:
    """The same of any degree: random factors, the smaller one each time."""
    modulus = int(n)
    context = flint.fmpz_mod_poly_ctx(flint.fmpz_mod_ctx(modulus))
    rest = context([int(c) for c in polynomial])
    chosen = random.Random(modulus)
    for _ in range(MOST_SPLITS):
        rest = split(rest, context([chosen.randrange(modulus), 1]), modulus >> 1)
        if rest.degree() <= 2:
            rest = rest.monic()
            return root([mpz(int(rest[k])) for k in range(rest.degree() + 1)], n)
    raise ArithmeticError("a class polynomial does not split: n is not prime")


def split(polynomial: Any, line: Any, power: int) -> Any:
    """The smaller of two factors; the polynomial where there is one only. Raises ArithmeticError."""
    try:
        factor = polynomial.gcd(line.pow_mod(power, polynomial) - 1)
    except DomainError:  # FLINT tests the modulus
        raise ArithmeticError("a class polynomial cannot be split: n is not prime") from None
    if not 0 < factor.degree() < polynomial.degree():
        return polynomial
    return factor if 2 * factor.degree() <= polynomial.degree() else polynomial // factor
