"""What a certificate says, whichever text it was read from: steps to ever smaller numbers, or prime factors of its neighbours.

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

    @property
    def next(self) -> int:
        """The number that it leads to; whether s divides is for the verifier to say."""
        return (self.n + 1 - self.t) // self.s


@dataclass(frozen=True, slots=True)
class MinusStep:
    """A step by one large prime factor of n - 1: n is prime if (n - 1) / s is, by a base (Pocklington)."""

    n: int
    s: int
    base: int

    @property
    def next(self) -> int:
        """The number that it leads to."""
        return (self.n - 1) // self.s


@dataclass(frozen=True, slots=True)
class PlusStep:
    """A step by one large prime factor of n + 1: n is prime if (n + 1) / s is, by the Lucas sequence of p and q (Morrison)."""

    n: int
    s: int
    p: int
    q: int

    @property
    def next(self) -> int:
        """The number that it leads to."""
        return (self.n + 1) // self.s


AnyStep = Step | MinusStep | PlusStep


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps, each of which leads to a smaller number, and what proves the last: `end`, or nothing where it is a small prime.

    Without a step n is small itself.
    """

    n: int
    steps: tuple[AnyStep, ...] = ()
    end: "Pocklington | Morrison | None" = None

    @property
    def last(self) -> int:
        """The number that the steps lead to."""
        return self.steps[-1].next if self.steps else self.n

    @property
    def kind(self) -> Kind:
        """How it proves n."""
        if any(isinstance(step, Step) for step in self.steps):
            return Kind.ECPP
        kinds = {Kind.N_MINUS_1 if isinstance(step, MinusStep) else Kind.N_PLUS_1 for step in self.steps}
        kinds |= {self.end.kind} if self.end else set()
        return Kind.SMALL if not kinds else kinds.pop() if len(kinds) == 1 else Kind.BOTH

    @property
    def length(self) -> int:
        """How many numbers it proves prime by more than strong tests."""
        return len(self.steps) + (self.end.length if self.end else 0)


@dataclass(frozen=True, slots=True)
class ProvenFactor:
    """A prime factor of n - 1, perhaps with its base. A large one has a certificate of its own; a small one has none."""

    p: int
    base: int | None = None
    certificate: "Pocklington | Chain | None" = None


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
