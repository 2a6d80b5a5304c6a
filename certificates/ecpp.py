"""Verifies steps by elliptic curves."""

from collections.abc import Iterator

from .arithmetic import gcd
from .rejection import Rejected
from .structure import Affine, Coefficients, Curve, Step


def verify_curve_step(step: Step, number: int) -> int:
    """The number whose primality proves that of the step's, or raise Rejected. `number`: of the step, for the message."""
    return _CurveStep(number, step).quotient()


class _CurveStep:
    """One step of ECPP, by the theorem of Goldwasser and Kilian.

    Let gcd(n, 6) = 1, the curve be non-singular modulo each prime p that divides n, q be a prime above (n^(1/4) + 1)^2, and Q a
    point that is O modulo no such p, with [q]Q = O modulo each. Then Q has order q modulo each p. A curve modulo p has at most
    (sqrt(p) + 1)^2 points (Hasse), so p > sqrt(n); as that holds for each p, n is prime.
    """

    def __init__(self, number: int, step: Step) -> None:
        self._number = number
        self._step = step

    def _expect(self, holds: bool, reason: str) -> None:
        if not holds:
            raise Rejected(self._number, self._step.n, reason)

    def quotient(self) -> int:
        """The number q whose primality proves that of n."""
        n, t, s = self._step.n, self._step.t, self._step.s
        self._expect(n > 1 and gcd(n, 6) == 1, "n is below 5, or 2 or 3 divides it")
        self._expect(t * t <= 4 * n, "t lies outside Hasse's bound, |t| <= 2 sqrt(n)")
        m = n + 1 - t
        self._expect(s >= 1 and m % s == 0, "s does not divide m = n + 1 - t")
        q = m // s
        self._expect(exceeds_bound(q, n), "q = m / s is not above (n^(1/4) + 1)^2")
        self._multiply_point(n, s, q)
        return q

    def _multiply_point(self, n: int, s: int, q: int) -> None:
        a, b, x, y = place(self._step.curve, n)
        self._expect((y * y - (x * x + a) * x - b) % n == 0, "the point does not lie on the curve")
        self._expect(gcd(4 * a * a * a + 27 * b * b, n) == 1, "the curve is singular modulo a factor of n")
        x, y, z = multiply(s, x, y, a, n)
        self._expect(gcd(z, n) == 1, "[s]P is O modulo a factor of n")
        inverse = pow(z, -1, n)
        square = inverse * inverse % n
        x, y = x * square % n, y * square * inverse % n
        # [q]Q = O is checked as [q-1]Q = -Q: both sides are finite, so that no coordinate is divided by what is 0 modulo a factor.
        far_x, far_y, z = multiply(q - 1, x, y, a, n)
        self._expect(gcd(z, n) == 1, "[m-s]P is O modulo a factor of n")
        square = z * z % n
        self._expect((far_x - x * square) % n == 0 and (far_y + y * square * z) % n == 0, "[m]P is not O")


def exceeds_bound(q: int, n: int) -> bool:
    """Whether q > (n^(1/4) + 1)^2, that is (sqrt(q) - 1)^4 > n, in whole numbers."""
    rest = q * q + 6 * q + 1 - n  # (sqrt(q) - 1)^4 - n = rest - 4 (q + 1) sqrt(q)
    return bool(q > 1 and rest > 0 and rest * rest > 16 * q * (q + 1) ** 2)


def place(curve: Curve, n: int) -> tuple[int, int, int, int]:
    """The curve's a and b and the point's x and y modulo n."""
    if isinstance(curve, Affine):
        a, x, y = curve.a % n, curve.x % n, curve.y % n
        return a, (y * y - (x * x + a) * x) % n, x, y
    if isinstance(curve, Coefficients):
        a, b = curve.a, curve.b
    else:
        a, b = 3 * curve.j * (1728 - curve.j), 2 * curve.j * (1728 - curve.j) ** 2
    # The point is (t l, l^2) on the curve with the coefficients a l^2 and b l^3: no square root is needed.
    t = curve.t
    scale = (t * t * t + a * t + b) % n
    square = scale * scale % n
    return a * square % n, b * square * scale % n, t * scale % n, square


def multiply(k: int, x: int, y: int, a: int, n: int) -> tuple[int, int, int]:
    """[k](x, y) for k >= 1 in Jacobian coordinates X, Y, Z: the point (X / Z^2, Y / Z^3). It is right if gcd(Z, n) = 1.

    n may be composite, so what counts is what happens modulo a prime p that divides it. The formulas fail where a point is added to
    O or to itself. Both leave a Z that p divides, as O does, and from then on p divides every Z, since each is a multiple of the
    one before. So a last Z without a factor in common with n tells that nothing failed on the way, modulo any p.
    """
    big_x, big_y, z = x, y, 1
    for digit in signed_digits(k):
        square_y = big_y * big_y % n
        middle = 4 * big_x * square_y % n
        square_z = z * z % n
        slope = (3 * big_x * big_x + a * (square_z * square_z % n)) % n
        z = 2 * big_y * z % n
        big_x = (slope * slope - 2 * middle) % n
        big_y = (slope * (middle - big_x) - 8 * square_y * square_y) % n
        if digit:
            square_z = z * z % n
            across = (x * square_z - big_x) % n
            up = (digit * y * (square_z * z % n) - big_y) % n
            square = across * across % n
            cube = square * across % n
            start = big_x * square % n
            big_x = (up * up - cube - 2 * start) % n
            big_y = (up * (start - big_x) - big_y * cube) % n
            z = z * across % n
    return big_x, big_y, z


def signed_digits(k: int) -> Iterator[int]:
    """The binary digits 1, 0 and -1 of k >= 1, without the first one: a third of them are not 0, where of 1 and 0 it is a half."""
    triple = bin(3 * k)[2:]
    single = bin(k)[2:].zfill(len(triple))
    return (int(upper) - int(lower) for upper, lower in zip(triple[1:-1], single[1:-1], strict=True))
