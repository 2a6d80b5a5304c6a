"""Parts and outcomes are what they were after their way to another process, and each part says how long it took."""

import pytest
from cypari._pari import SignalError
from gmpy2 import mpz

from services.worker.prove.ecpp import parts
from services.worker.prove.ecpp.parts import (
    Cofactors,
    CofactorsTested,
    Curve,
    CurveFound,
    Failed,
    Order,
    Orders,
    OrdersFound,
    Outcome,
    Part,
    Roots,
    RootsFound,
    Tail,
    TailProven,
    compute,
    decode_outcome,
    decode_part,
    encode_outcome,
    encode_part,
)
from tests.unit.worker.prove.ecpp.numbers import MEMORY, composite, prime

ORDER = Order(-7, 1, "-1f", "2")


@pytest.mark.parametrize(
    "part", [Roots("97", (-4, 8)), Orders("97", (-8,), ((-8, "1f"),)), Cofactors("97", (ORDER,)), Curve("97", ORDER), Tail("97")]
)
def test_a_part_travels(part: Part) -> None:
    assert decode_part(encode_part(part)) == part


@pytest.mark.parametrize(
    "outcome",
    [
        RootsFound(("1", "2"), 5),
        OrdersFound((ORDER,), 5),
        CofactorsTested(3, 5),
        CurveFound("1", "2", "3", 5),
        TailProven("[]", 5),
        Failed("why", 5),
    ],
)
def test_an_outcome_travels(outcome: Outcome) -> None:
    assert decode_outcome(encode_outcome(outcome)) == outcome


def test_a_computation_tells_its_time() -> None:
    assert compute(Tail(f"{prime(60, 1)}"), MEMORY).compute_us > 0


@pytest.mark.parametrize(
    "part",
    [
        Tail(f"{composite(60, 1)}"),
        Roots(f"{composite(60, 1)}", tuple(range(2, 60))),
        Curve(f"{composite(60, 1)}", Order(-23, 3, "1f", "2")),
    ],
)
def test_a_computation_that_fails_says_why(part: Part) -> None:
    failed = compute(part, MEMORY)
    assert isinstance(failed, Failed)
    assert "prime" in failed.reason


def test_a_crash_of_pari_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(part: Part, memory: int) -> Outcome:
        raise SignalError("Segmentation fault")

    monkeypatch.setitem(parts.COMPUTATIONS, Tail, crash)
    failed = compute(Tail("97"), MEMORY)
    assert isinstance(failed, Failed)
    assert failed.reason == "PARI crashed: Segmentation fault"


def test_cofactors_are_tried_until_one_passes() -> None:
    n = prime(120, 1)
    q = prime(60, 1)
    composite_order, prime_order = (Order(-7, 1, f"{n + 1 - m:x}", "1") for m in (q * 3, mpz(q)))
    tested = compute(Cofactors(f"{n}", (composite_order, composite_order, prime_order, composite_order)), MEMORY)
    assert isinstance(tested, CofactorsTested)
    assert tested.composite == 2
