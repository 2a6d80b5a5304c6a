"""Class groups of imaginary quadratic orders, as lists of forms in which each block is a coset."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import gmpy2

from services.worker.prove.certify import load_pari

Form = tuple[int, int, int]  # a x^2 + b x y + c y^2

MOST_SEARCHED = 60  # x + y of the values of a form that are tried: one in three and more is prime to 6


class ClassGroup(NamedTuple):
    """Its forms, and the primes whose product is their number.

    The list is `primes[0]` blocks of equal length, each a coset of one subgroup; so is each block of `primes[1]`, and so on.
    """

    forms: tuple[Form, ...]
    primes: tuple[int, ...]


@lru_cache(maxsize=1 << 16)
def class_number(discriminant: int, memory: int) -> int:
    """Of a fundamental discriminant, which is small. Raises NoCertificate."""
    pari, _ = load_pari(memory)
    return int(pari.qfbclassno(discriminant))


def class_group(pari: Any, discriminant: int) -> ClassGroup:
    """The group of this discriminant. The smallest primes come first."""
    structure = pari.quadclassunit(discriminant)
    digits = []  # each prime factor of the group's order with the form whose powers below it are representatives
    for order, generator in zip(structure[1], structure[2], strict=True):
        power = 1
        for prime in prime_factors(int(order)):
            digits.append((prime, generator**power))
            power *= prime
    digits.sort(key=lambda digit: digit[0])  # stable: of one generator the lower powers stay first
    parity = discriminant % 2
    forms = [pari.Qfb(1, parity, (parity - discriminant) // 4)]
    for prime, form in digits:
        powers = [form**power for power in range(prime)]
        forms = [known * power for known in forms for power in powers]
    triples = tuple((int(form[0]), int(form[1]), int(form[2])) for form in forms)
    return ClassGroup(triples, tuple(prime for prime, _ in digits))


def prime_factors(number: int) -> list[int]:
    """With their multiplicity, the smallest first; of a class number, which is small."""
    found = []
    p = 2
    while p * p <= number:
        while number % p == 0:
            found.append(p)
            number //= p
        p += 1
    return found + [number] * (number > 1)


def prepare(form: Form, modulus: int) -> Form:
    """An equivalent form whose a is prime to the modulus, which divides its b / 2, or b where that is odd."""
    if modulus == 1:
        return form
    a, b, _ = substitute(form, *representation(form, modulus))
    # b changes by multiples of 2 a
    shift = -(b // 2 if b % 2 == 0 else b * pow(2, -1, modulus)) * pow(a, -1, modulus) % modulus
    moved = b + 2 * a * shift
    discriminant = form[1] ** 2 - 4 * form[0] * form[2]
    return a, moved, (moved * moved - discriminant) // (4 * a)


def representation(form: Form, modulus: int) -> tuple[int, int]:
    """Coprime x and y for which the form's value is prime to the modulus."""
    a, b, c = form
    for total in range(1, MOST_SEARCHED):
        for y in range(total + 1):
            x = total - y
            if math.gcd(x, y) == 1 and math.gcd(a * x * x + b * x * y + c * y * y, modulus) == 1:
                return x, y
    raise ArithmeticError(f"no small value of the form {form} is prime to {modulus}")


def substitute(form: Form, x: int, y: int) -> Form:
    """An equivalent form that has at (1, 0) the value that this one has at (x, y)."""
    a, b, c = form
    _, u, v = gmpy2.gcdext(x, y)
    z, w = -int(v), int(u)
    return a * x * x + b * x * y + c * y * y, 2 * a * x * z + b * (x * w + y * z) + 2 * c * y * w, a * z * z + b * z * w + c * w * w


def blocks(values: Sequence[Any], count: int) -> list[Sequence[Any]]:
    """So many blocks of equal length."""
    length = len(values) // count
    return [values[start : start + length] for start in range(0, len(values), length)]
