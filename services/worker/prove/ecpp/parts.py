"""The parts of a proof by elliptic curves, what comes of them, and the computation between the two.

A part says all that it needs, so that any process may compute it. Numbers of n's size are hexadecimal text.
"""

import time
from collections.abc import Callable
from typing import Any

import gmpy2
import msgspec
from gmpy2 import mpz

from certificates import Rejected, verify
from certificates import read as read_certificate
from services.worker.prove.certify import NoCertificate, ask_pari
from services.worker.prove.ecpp import curves, orders, residues
from services.worker.prove.ecpp.classgroups import class_number


class Roots(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="roots"):
    """Square roots modulo n of these signed primes (-4, 8, -8, and p or -p that is 1 modulo 4)."""

    n: str
    primes: tuple[int, ...]


class Orders(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="orders"):
    """Orders of curves modulo n with these discriminants, less their small primes. `roots`: of the signed primes in them."""

    n: str
    discriminants: tuple[int, ...]
    roots: tuple[tuple[int, str], ...]


class Order(msgspec.Struct, array_like=True, frozen=True, gc=False, order=True):
    """An order n + 1 - t of a curve with this discriminant; `s` is the product of its small primes."""

    discriminant: int
    class_number: int
    t: str
    s: str


class Cofactors(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="cofactors"):
    """The first order whose cofactor passes the tests of primes."""

    n: str
    orders: tuple[Order, ...]


class Curve(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="curve"):
    """A curve of this order and a point on it that prove n, if the cofactor is prime."""

    n: str
    order: Order


class Tail(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="tail"):
    """The whole proof of n, which is small enough for one process."""

    n: str


class RootsFound(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="roots found"):
    """The roots, in the order of the primes."""

    roots: tuple[str, ...]
    compute_us: int = 0


class OrdersFound(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="orders found"):
    """Those that may lead on: their cofactors are neither too small nor n's size."""

    orders: tuple[Order, ...]
    compute_us: int = 0


class CofactorsTested(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="cofactors tested"):
    """How many cofactors are composite, before the first that is not."""

    composite: int
    compute_us: int = 0


class CurveFound(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="curve found"):
    """The curve y^2 = x^3 + a x + b through (x, y); the step has been verified."""

    a: str
    x: str
    y: str
    compute_us: int = 0


class TailProven(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="tail proven"):
    """PARI's certificate, which has been verified."""

    text: str
    compute_us: int = 0


class Failed(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="failed"):
    """The part could not be computed."""

    reason: str
    compute_us: int = 0


Part = Roots | Orders | Cofactors | Curve | Tail
Outcome = RootsFound | OrdersFound | CofactorsTested | CurveFound | TailProven | Failed

_encoder = msgspec.msgpack.Encoder()
_parts: msgspec.msgpack.Decoder[Part] = msgspec.msgpack.Decoder(Part)
_outcomes: msgspec.msgpack.Decoder[Outcome] = msgspec.msgpack.Decoder(Outcome)


def encode_part(part: Part) -> bytes:
    """As MessagePack."""
    return _encoder.encode(part)


def decode_part(frame: bytes) -> Part:
    """From MessagePack. Raises msgspec.DecodeError."""
    return _parts.decode(frame)


def encode_outcome(outcome: Outcome) -> bytes:
    """As MessagePack."""
    return _encoder.encode(outcome)


def decode_outcome(frame: bytes) -> Outcome:
    """From MessagePack. Raises msgspec.DecodeError."""
    return _outcomes.decode(frame)


def compute(part: Part, memory: int) -> Outcome:
    """What comes of a part; `memory`: MiB of PARI's stack, for those that need PARI."""
    start = time.thread_time_ns()
    outcome = attempt(part, memory)
    return msgspec.structs.replace(outcome, compute_us=(time.thread_time_ns() - start) // 1000)


def attempt(part: Part, memory: int) -> Outcome:
    """The outcome, without its time."""
    try:
        return COMPUTATIONS[type(part)](part, memory)
    except (ArithmeticError, MemoryError, NoCertificate, Rejected) as error:
        return Failed(str(error) or "this process may not use enough memory")
    except BaseException as error:
        from cypari._pari import SignalError  # noqa: PLC0415  # loaded by now, if one came

        if not isinstance(error, SignalError):
            raise
        return Failed(f"PARI crashed: {error}")


def find_roots(part: Roots, _memory: int) -> RootsFound:
    """Raises ArithmeticError where one has no root, or n is composite."""
    n = mpz(part.n)
    return RootsFound(tuple(map(write, residues.square_roots(part.primes, n))))


def find_orders(part: Orders, memory: int) -> OrdersFound:
    """All of them, and then their small primes in one go. Raises NoCertificate."""
    n = mpz(part.n)
    found = orders.smooth_orders(n, part.discriminants, {prime: read(root) for prime, root in part.roots})
    return OrdersFound(
        tuple(Order(discriminant, class_number(discriminant, memory), write(t), write(s)) for discriminant, t, s in found)
    )


def try_cofactors(part: Cofactors, _memory: int) -> CofactorsTested:
    """One after another, until one passes."""
    n = mpz(part.n)
    for composite, order in enumerate(part.orders):
        if orders.is_probable_prime(orders.cofactor(n, read(order.t), read(order.s))):
            return CofactorsTested(composite)
    return CofactorsTested(len(part.orders))


def find_curve(part: Curve, memory: int) -> CurveFound:
    """Raises ArithmeticError where there is none, so that n is composite, and NoCertificate."""
    order = part.order
    found = curves.find(mpz(part.n), order.discriminant, read(order.t), read(order.s), memory)
    return CurveFound(write(found.a), write(found.x), write(found.y))


def prove_tail(part: Tail, memory: int) -> TailProven:
    """By PARI, verified without it. Raises NoCertificate, Rejected."""
    text = ask_pari(mpz(part.n), n_minus_1=False, memory=memory).pari
    verify(read_certificate(text))
    return TailProven(text.decode())


COMPUTATIONS: dict[type, Callable[[Any, int], Outcome]] = {  # each takes the parts of its type alone
    Roots: find_roots,
    Orders: find_orders,
    Cofactors: try_cofactors,
    Curve: find_curve,
    Tail: prove_tail,
}


def write(number: mpz) -> str:
    """A number of n's size as it stands in a part: no other base is read and written as quickly."""
    return str(gmpy2.digits(number, 16))


def read(text: str) -> mpz:
    """Such a number."""
    return mpz(text, 16)
