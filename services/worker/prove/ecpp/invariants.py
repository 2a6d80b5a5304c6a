"""The j-invariant of curves with complex multiplication modulo n: a root of the class polynomial."""

import random
from typing import Any

import flint
from gmpy2 import mpz

from services.worker.prove.certify import NoCertificate, Status, load_pari

MOST_SPLITS = 60  # of one polynomial: each fails for one in two at most


def find(n: mpz, discriminant: int, memory: int) -> mpz:
    """A j-invariant modulo n. Raises ArithmeticError where there is none, and NoCertificate where PARI has too little memory."""
    pari, error_type = load_pari(memory)
    try:
        coefficients: list[int] = [int(c) for c in pari.polclass(discriminant).Vecrev()]
    except error_type as error:
        raise NoCertificate(Status.OUT_OF_MEMORY, f"PARI: {error}") from None
    return root(coefficients, n)


def root(coefficients: list[int], n: mpz) -> mpz:
    """One root modulo n of a polynomial that splits; coefficients from the constant on. Raises ArithmeticError."""
    context = flint.fmpz_mod_poly_ctx(flint.fmpz_mod_ctx(int(n)))
    polynomial = context([*coefficients])
    chosen = random.Random(int(n))
    for _ in range(MOST_SPLITS):
        if polynomial.degree() == 1:
            return mpz(int(-polynomial[0] / polynomial[1]))
        polynomial = split(polynomial, context([chosen.randrange(int(n)), 1]), int(n) >> 1)
    raise ArithmeticError("a class polynomial does not split: n is not prime")


def split(polynomial: Any, line: Any, power: int) -> Any:
    """The smaller of two factors; the polynomial where there is one only."""
    factor = polynomial.gcd(line.pow_mod(power, polynomial) - 1)
    if not 0 < factor.degree() < polynomial.degree():
        return polynomial
    return factor if 2 * factor.degree() <= polynomial.degree() else polynomial // factor
