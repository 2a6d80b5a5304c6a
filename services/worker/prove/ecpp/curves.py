"""Curves modulo n with complex multiplication, and points on them that prove a step."""

from collections.abc import Iterator

import gmpy2
from gmpy2 import mpz

from certificates import Rejected
from certificates.ecpp import verify_curve_step
from certificates.structure import Affine, Step
from services.worker.prove.ecpp.classfields import class_field
from services.worker.prove.ecpp.roots import find_j

MOST_TRIALS = 60  # of curves: one in two has the order, one in six for discriminant -3, so that 60 fail for one n in 50,000


def find(n: mpz, discriminant: int, t: mpz, s: mpz, memory: int) -> Affine:
    """A curve of n + 1 - t points and a point, by which the verifier accepts the step. Raises ArithmeticError, NoCertificate."""
    for count, curve in enumerate(twists(n, discriminant, memory)):
        try:
            verify_curve_step(Step(n, t, s, curve), 1)
        except Rejected:
            if count == MOST_TRIALS:
                break
        else:
            return curve
    raise ArithmeticError(f"no curve with the discriminant {discriminant} has the order: n is not prime")


def twists(n: mpz, discriminant: int, memory: int) -> Iterator[Affine]:
    """Curves with this discriminant, each through a point, of each order in turn."""
    if discriminant in (-3, -4):
        for k in range(1, MOST_TRIALS + 2):
            yield through(mpz(2 + k), mpz(k) * (discriminant == -4), mpz(k) * (discriminant == -3), n)
        return
    j = find_j(n, class_field(discriminant, memory))
    scale = j * gmpy2.invert(1728 - j, n) % n
    a, b = 3 * scale, 2 * scale
    sign = 1
    for x in range(1, 100 * MOST_TRIALS):
        # The curve through the point is the one with a and b, or its twist, as the Jacobi symbol says.
        if gmpy2.jacobi((x * x + a) * x + b, n) == sign:
            yield through(mpz(x), a, b, n)
            sign = -sign


def through(x: mpz, a: mpz, b: mpz, n: mpz) -> Affine:
    """The curve y^2 = x^3 + a x + b or its twist, whichever has a point with this x, in coordinates that need no square root."""
    scale = ((x * x + a) * x + b) % n
    square = scale * scale % n
    return Affine(a * square % n, x * scale % n, square)
