"""A chain proves primes whatever becomes of its parts, and never a composite number."""

import random

import gmpy2
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from certificates import read, verify
from services.worker.prove.ecpp import chain as chains
from services.worker.prove.ecpp.chain import Chain
from services.worker.prove.ecpp.discriminants import USUAL
from services.worker.prove.ecpp.parts import CofactorsTested, Curve, CurveFound, Failed, Orders, Part, RootsFound, Tail
from tests.unit.worker.prove.ecpp.numbers import composite, finish, outcome, prime


def check(chain: Chain) -> None:
    """It has a certificate of its number that the verifier accepts."""
    assert chain.failure == ""
    assert chain.certificate is not None
    certificate = read(chain.certificate)
    verify(certificate)
    assert certificate.n == chain.n


@pytest.mark.parametrize(("digits", "seed"), [(120, 1), (150, 1), (185, 1), (200, 2), (230, 3)])
def test_primes_are_proven(digits: int, seed: int) -> None:
    chain = Chain(prime(digits, seed))
    assert chain.certificate is None
    assert chain.digits_left == digits
    assert finish(chain) > 0
    check(chain)
    assert chain.digits_left < 185
    assert chain.next() is None


@settings(max_examples=8)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_a_prime_is_proven_whatever_becomes_of_parts(fate: random.Random, seed: int) -> None:
    """Outcomes come in any order, twice or not at all, or are none; now and then the chain is restored from what it saved."""
    n = prime(200, seed)
    chain = Chain(n)
    given_out: dict[int, Part] = {}
    failed: set[int] = set()
    for _ in range(2_000):
        if chain.certificate is not None or chain.failure:
            break
        wanted = chain.next() if len(given_out) < 8 else None
        if wanted:
            given_out[wanted[0]] = wanted[1]
        if not wanted or fate.random() < 0.5:
            number = fate.choice(list(given_out))
            part = given_out[number]
            match fate.choice([*["comes"] * 30, *["twice", "lost", "fails"] * 4, "restored"]):
                case "comes" | "twice" as how:
                    chain.learn(number, outcome(part))
                    assert not chain.is_wanted(number)
                    if how == "twice":
                        chain.learn(number, outcome(part))
                    del given_out[number]
                case "lost":
                    chain.again(number)
                    del given_out[number]
                case "fails" if number not in failed:
                    failed.add(number)
                    chain.learn(number, Failed("the worker died"))
                    del given_out[number]
                case "restored":
                    chain = Chain.restore(n, chain.save())
                    given_out.clear()
                    failed.clear()
    check(chain)


def test_a_restored_chain_has_what_was_found() -> None:
    chain = Chain(prime(230, 4))
    revisions = {chain.revision}
    while wanted := chain.next():
        number, part = wanted
        chain.learn(number, outcome(part))
        if chain.revision not in revisions:
            restored = Chain.restore(chain.n, chain.save())
            assert (restored.digits_left, restored.certificate) == (chain.digits_left, chain.certificate)
        revisions.add(chain.revision)
    check(chain)
    assert len(revisions) > 5


@pytest.mark.parametrize("saved", [b"", b"none", Chain(prime(120, 1)).save()[:-3], Chain(prime(120, 2)).save()])
def test_what_was_saved_otherwise_is_refused(saved: bytes) -> None:
    with pytest.raises(ValueError, match="saved chain"):
        Chain.restore(prime(120, 1), saved)


def test_a_lost_part_is_given_out_again_once() -> None:
    chain = Chain(prime(200, 1))
    wanted = chain.next()
    assert wanted
    number, part = wanted
    chain.again(number)
    chain.again(number)
    assert chain.next() == (number, part)
    other = chain.next()
    assert other is None or other[0] != number


def test_a_part_of_the_number_itself_that_fails_three_times_ends_the_chain() -> None:
    chain = Chain(prime(120, 1))
    for _ in range(3):
        wanted = chain.next()
        assert wanted is not None
        assert chain.is_wanted(wanted[0])
        chain.learn(wanted[0], Failed("out of memory"))
    assert chain.failure == "a part failed 3 times: out of memory"
    assert chain.next() is None
    assert chain.certificate is None
    assert not chain.is_wanted(1)


@pytest.mark.parametrize("kind", [Curve, Tail])
def test_the_chain_does_without_a_number_whose_part_fails_for_good(kind: type[Part]) -> None:
    chain = Chain(prime(230, 1))
    doomed: Part | None = None
    found: list[bytes] = []
    while wanted := chain.next():
        number, part = wanted
        if isinstance(part, kind) and doomed is None:
            doomed = part
        chain.learn(number, Failed("the worker died") if part == doomed else outcome(part))
        found += chain.found()
    check(chain)
    assert chain.certificate
    assert all(step in chain.certificate for step in found)
    if isinstance(doomed, Curve):
        assert f"[{doomed.n}, {mpz(doomed.order.t, 16)}, ".encode() not in chain.certificate
    else:
        assert doomed and chain.last != mpz(doomed.n)


def test_too_many_numbers_whose_parts_fail_end_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "MOST_REFUSED", 3)
    chain = Chain(prime(200, 1))
    while wanted := chain.next():
        number, part = wanted
        chain.learn(number, Failed("PARI crashed") if isinstance(part, Curve) else outcome(part))
    assert chain.failure == "a part failed 3 times: PARI crashed"


@pytest.mark.parametrize("wrong", [RootsFound(()), CofactorsTested(-1), CurveFound("1", "1", "1")])
def test_an_outcome_of_another_part_is_a_failure(wrong: RootsFound | CofactorsTested | CurveFound) -> None:
    chain = Chain(prime(200, 1))
    while not chain.failure:
        wanted = chain.next()
        assert wanted
        chain.learn(wanted[0], wrong)
    assert chain.failure.startswith("a part failed 3 times: ")
    assert "is no outcome of this Roots" in chain.failure


@pytest.mark.parametrize("digits", [120, 200, 230])
@pytest.mark.parametrize("seed", range(6))
def test_composite_numbers_have_no_certificate(digits: int, seed: int) -> None:
    chain = Chain(composite(digits, seed))
    finish(chain)
    assert chain.certificate is None
    assert chain.failure


def test_a_number_without_a_successor_is_left_for_another() -> None:
    chain = Chain(prime(230, 1))
    seen: list[str] = []  # numbers whose orders were wanted
    while wanted := chain.next():
        number, part = wanted
        if isinstance(part, Orders) and part.n not in seen[-1:]:
            seen.append(part.n)
        hopeless = isinstance(part, Orders) and part.n in seen[1:2]
        chain.learn(number, outcome(Orders(part.n, (), ()) if hopeless else part))
    assert seen[0] == seen[2] != seen[1]
    check(chain)


def test_with_nothing_found_the_chain_ends() -> None:
    chain = Chain(prime(200, 1))
    count = 0
    while wanted := chain.next():
        number, part = wanted
        chain.learn(number, outcome(Orders(part.n, (), ())) if isinstance(part, Orders) else outcome(part))
        count += 1
    assert chain.failure == "no discriminants are left"
    assert count < 500


def test_a_first_number_that_has_none_of_the_usual_successors_has_one_of_the_last() -> None:
    chain = Chain(prime(200, 1))
    while chain.last == chain.n and (wanted := chain.next()):
        number, part = wanted
        if isinstance(part, Orders):
            part = Orders(part.n, tuple(each for each in part.discriminants if -each > USUAL.largest), part.roots)
        chain.learn(number, outcome(part))
    finish(chain)
    check(chain)


def test_the_tail_alone_proves_a_number_that_is_small_enough() -> None:
    chain = Chain(mpz(10**110 + 7) if gmpy2.is_prime(10**110 + 7) else prime(110, 1))
    wanted = chain.next()
    assert wanted
    assert isinstance(wanted[1], Tail)
    chain.learn(wanted[0], outcome(wanted[1]))
    check(chain)
