"""What a certificate says: steps on elliptic curves that lead to a small prime, or prime factors of its number less one.

What stands here has the right form; whether it proves anything is for `verifier` to say.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a certificate proves its number."""

    ECPP = "ECPP"  # elliptic curves (Atkin-Morain)
    N_MINUS_1 = "N-1"  # prime factors of N-1 (Pocklington; Brillhart, Lehmer and Selfridge)
    N_PLUS_1 = "N+1"  # prime factors of N+1 (Lucas and Lehmer; Morrison; Brillhart, Lehmer and Selfridge)
    BOTH = "N-1 and N+1"  # prime factors of both
    SMALL = "small"  # no step: the number is small enough for a strong test that is exact


@dataclass(frozen=True, slots=True)
class Affine:
    """PARI's curve: y^2 = x^3 + a x + b through the point (x, y), which says what b is."""

    a: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Invariant:
    """Primo's curve by its j-invariant, which is neither 0 nor 1728, and a number t that the point is made from."""

    j: int
    t: int


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Primo's curve where the j-invariant is 0 or 1728: by its coefficients."""

    a: int
    b: int
    t: int


Curve = Affine | Invariant | Coefficients


@dataclass(frozen=True, slots=True)
class Step:
    """One step of ECPP: n is prime if (n + 1 - t) / s is, by a curve and a point on it."""

    n: int
    t: int
    s: int
    curve: Curve


@dataclass(frozen=True, slots=True)
class Chain:
    """An ECPP certificate: each step leads to a smaller number, the last to a small prime. Without a step n is small itself."""

    n: int
    steps: tuple[Step, ...] = ()

    @property
    def kind(self) -> Kind:
        """How it proves n."""
        return Kind.ECPP if self.steps else Kind.SMALL

    @property
    def length(self) -> int:
        """How many steps it has."""
        return len(self.steps)


@dataclass(frozen=True, slots=True)
class ProvenFactor:
    """A prime factor of n - 1. A large one has a certificate of its own, and comes with a base; a small one has neither."""

    p: int
    base: int | None = None
    certificate: "Pocklington | None" = None


@dataclass(frozen=True, slots=True)
class Pocklington:
    """An N-1 certificate: enough prime factors of n - 1."""

    n: int
    factors: tuple[ProvenFactor, ...]

    @property
    def kind(self) -> Kind:
        """How it proves n."""
        return Kind.N_MINUS_1

    @property
    def length(self) -> int:
        """How many numbers it proves prime, those within it included."""
        return 1 + sum(factor.certificate.length for factor in self.factors if factor.certificate)


@dataclass(frozen=True, slots=True)
class Morrison:
    """A certificate by prime factors of n + 1, with those of n - 1 beside them where these do not suffice. All are small primes."""

    n: int
    minus: tuple[int, ...]
    plus: tuple[int, ...]

    @property
    def kind(self) -> Kind:
        """How it proves n."""
        return Kind.BOTH if self.minus else Kind.N_PLUS_1

    @property
    def length(self) -> int:
        """How many numbers it proves prime."""
        return 1


Certificate = Chain | Pocklington | Morrison
