"""What the formats share that write a certificate as steps: which certificates they can say, and Primo's form of a curve."""

from .arithmetic import gcd
from .rejection import shorten
from .small import SMALL_BITS
from .structure import Affine, Certificate, Chain, Coefficients, Curve, Invariant, Step
from .text import Unwritable


def only_steps(certificate: Certificate, whose: str) -> Chain:
    """The certificate, if it is steps alone that lead to a number below 2^64. Raises Unwritable."""
    if not isinstance(certificate, Chain) or certificate.end:
        raise Unwritable(f"{whose} format has no form for a certificate by several factors of N-1 or N+1")
    if certificate.last.bit_length() > SMALL_BITS:
        raise Unwritable(f"{whose} format ends at a number below 2^{SMALL_BITS}, this certificate at {shorten(certificate.last)}")
    return certificate


def lucas_p(q: int) -> int:
    """The P of the Lucas sequence that Primo names by its Q."""
    return 2 if q % 2 else 1


def curve_fields(step: Step) -> list[tuple[str, int]]:
    """The names and numbers by which Primo tells the step's curve and point. Raises Unwritable."""
    curve = primo_curve(step.curve, step.n)
    if isinstance(curve, Invariant):
        return [("J", curve.j), ("T", curve.t)]
    return [("A", curve.a), ("B", curve.b), ("T", curve.t)]


def primo_curve(curve: Curve, n: int) -> Invariant | Coefficients:
    """The same curve, up to isomorphism, and the same point as Primo has them: t below n, the others n/2 at most by amount.

    y^2 = x^3 + a x + b has the j-invariant 1728 c/(c + d) with c = 4 a^3 and d = 27 b^2. With A = 3 j (1728 - j) and
    B = 2 j (1728 - j)^2 the point is the one with t = (a/A) (B/b) x, and (B a)/(A b) = (1728 - j)(2 a)/(3 b). Raises Unwritable.
    """
    if isinstance(curve, Invariant):
        return Invariant(nearest(curve.j, n), curve.t % n)
    if isinstance(curve, Coefficients):
        return Coefficients(nearest(curve.a, n), nearest(curve.b, n), curve.t % n)
    a, b = curve.a % n, coefficient_b(curve, n)
    if a == 0 or b == 0:  # then the j-invariant is 0 or 1728
        return Coefficients(nearest(a, n), nearest(b, n), curve.x % n)
    c, d = 4 * a * a * a, 27 * b * b
    if gcd((c + d) * 3 * b, n) != 1:
        raise Unwritable("a curve of this certificate is none modulo a factor of its number")
    inverse = pow((c + d) * 3 * b, -1, n)  # one for both quotients
    j = 1728 * c * 3 * b * inverse % n
    return Invariant(nearest(j, n), (1728 - j) * 2 * a * (c + d) * inverse * curve.x % n)


def coefficient_b(curve: Affine, n: int) -> int:
    """The b of the curve y^2 = x^3 + a x + b through the point."""
    return (curve.y * curve.y - (curve.x * curve.x + curve.a) * curve.x) % n


def nearest(value: int, n: int) -> int:
    """The number that is this modulo n and n/2 at most by amount."""
    rest = value % n
    return rest - n if 2 * rest > n else rest
