"""What a certificate proves is prime; what was changed or forged proves nothing, however it was done."""

import contextlib
import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import combinations
from math import isqrt
from pathlib import Path

import gmpy2
import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from certificates.__main__ import main
from certificates.ecpp import exceeds_bound, multiply
from certificates.n_minus_1 import has_bases, is_base, power_in
from certificates.primo import read_primo
from certificates.reader import read
from certificates.rejection import Rejected
from certificates.small import BASES, BASES_BOUND, is_small_prime
from certificates.structure import Affine, Certificate, Chain, Coefficients, Invariant, Pocklington, ProvenFactor, Step
from certificates.text import Malformed
from certificates.verifier import verify
from services.worker.compute import primes
from tests.integration.processes import killed_at_last
from tests.unit import oracle
from tests.unit.certificates import textbook
from tests.unit.certificates.test_reader import integers, pari_chains, pocklingtons, primo_chains
from tests.unit.certificates.textbook import VECTORS
from tests.unit.worker.compute.test_primes import ARNAULT

ROOT = Path(__file__).parents[3]
GOLDEN = sorted(path.name for path in VECTORS.glob("*.p*"))


def golden(name: str) -> Certificate:
    return read((VECTORS / name).read_bytes())


def chain(name: str) -> Chain:
    found = golden(name)
    assert isinstance(found, Chain)
    return found


def holds(certificate: Certificate) -> bool:
    try:
        verify(certificate)
    except Rejected:
        return False
    return True


def reason(certificate: Certificate) -> str:
    with pytest.raises(Rejected) as caught:
        verify(certificate)
    return caught.value.reason


@pytest.mark.parametrize("name", GOLDEN)
def test_a_certificate_proves_its_number(name: str) -> None:
    certificate = golden(name)
    done: list[tuple[int, int]] = []
    verify(certificate, lambda *progress: done.append(progress))
    assert gmpy2.is_prime(certificate.n)
    assert done == [(number, certificate.length) for number in range(1, certificate.length + 1)]
    if isinstance(certificate, Chain):
        assert textbook.proves(certificate)


# Changes of a certificate. Each yields what was changed, for the test to name it, and the certificate.


def numbers(value: mpz, others: list[mpz]) -> Iterator[tuple[str, mpz]]:
    """The ways in which one number is changed."""
    yield from (("+1", value + 1), ("-1", value - 1), ("zero", mpz(0)), ("double", 2 * value), ("negative", -value))
    yield from ((f"that of another step ({index})", other) for index, other in enumerate(others))


def changed_fields(steps: tuple[Step, ...]) -> Iterator[tuple[int, str, str, Step]]:
    """Every field of every step, changed in every way."""
    for index, step in enumerate(steps):
        for name in ("n", "t", "s"):
            others = [getattr(other, name) for other in (*steps[:index][-1:], *steps[index + 1 :][:1])]
            for way, value in numbers(getattr(step, name), others):
                yield index, name, way, replace(step, **{name: value})
        for field in fields(step.curve):
            others = [getattr(other.curve, field.name, mpz(7)) for other in (*steps[:index][-1:], *steps[index + 1 :][:1])]
            for way, value in numbers(getattr(step.curve, field.name), others):
                yield index, field.name, way, replace(step, curve=replace(step.curve, **{field.name: value}))
        for first, second in combinations(fields(step.curve), 2):
            values = {first.name: getattr(step.curve, second.name), second.name: getattr(step.curve, first.name)}
            yield index, first.name + second.name, "swapped", replace(step, curve=replace(step.curve, **values))
        for one, other in combinations("nts", 2):
            yield index, one + other, "swapped", replace(step, **{one: getattr(step, other), other: getattr(step, one)})


def from_step(whole: Chain, index: int, step: Step) -> Chain:
    """The chain from one step on, with another step in its place: those before it hold and are not checked again each time."""
    return Chain(whole.steps[index].n, (step, *whole.steps[index + 1 :]))


@pytest.mark.parametrize("name", ["30-digits.pari", "100-digits.pari"])
def test_paris_certificate_with_any_field_of_any_step_changed_is_rejected_unless_it_is_as_good(name: str) -> None:
    whole = chain(name)
    accepted = set()
    for index, field, way, step in changed_fields(whole.steps):
        changed = from_step(whole, index, step)
        if step != whole.steps[index] and holds(changed):
            accepted.add((field, way))
            assert textbook.proves(changed)
            # (x, -y) is the opposite point on the same curve. Where a = 0 another x or y makes another curve y^2 = x^3 + b, of
            # which there are only six modulo a prime: one in six changes makes no difference to the order.
            assert (field, way) == ("y", "negative") or (field in "xy" and step.curve.a == 0)
    assert ("y", "negative") in accepted
    assert len(accepted) == 1 or any(step.curve.a == 0 for step in whole.steps)


@pytest.mark.parametrize("name", ["30-digits.primo", "100-digits.primo"])
def test_primos_certificate_with_any_field_of_any_step_changed_is_rejected_unless_it_is_as_good(name: str) -> None:
    whole = chain(name)
    accepted = set()
    for index, field, way, step in changed_fields(whole.steps):
        if step == whole.steps[index] or field in ("n", "nt", "ns"):  # Primo's text has no n
            continue
        try:  # by way of the text: what follows from a field changes with it
            changed = read_primo(textbook.primo(from_step(whole, index, step)))
        except Malformed:
            continue
        if holds(changed):
            accepted.add(field)
            assert textbook.proves(changed), (index, field, way)
            assert [other.n for other in changed.steps] == [other.n for other in whole.steps[index:]]
            # Another t makes another point: for every second t on the same curve, for the others on its twist, which has another
            # order. Where j = 0 or 1728 another a or b makes one of six or four curves.
            assert field == "t" or isinstance(step.curve, Coefficients)
    assert "t" in accepted


@pytest.mark.parametrize("name", ["30-digits.pari", "30-digits.primo"])
def test_both_implementations_say_the_same_of_every_change(name: str) -> None:
    whole = chain(name)
    for index, _, _, step in changed_fields(whole.steps):
        changed = replace(whole, steps=(*whole.steps[:index], step, *whole.steps[index + 1 :]))
        assert holds(changed) == textbook.proves(changed)


@pytest.mark.parametrize("name", ["30-digits.pari", "100-digits.pari", "30-digits.primo", "100-digits.primo"])
def test_steps_that_are_missing_doubled_or_moved_are_rejected(name: str) -> None:
    whole = chain(name)
    steps = whole.steps
    for index, step in enumerate(steps):
        assert not holds(replace(whole, steps=(*steps[:index], step, *steps[index:])))
        rest = replace(whole, steps=(*steps[:index], *steps[index + 1 :]))
        if index + 1 == len(steps) and step.n < BASES_BOUND:
            assert holds(rest)  # the number that it began with is below 3.3e24, where the strong tests decide too
        else:
            assert not holds(rest)
        for other in range(index + 1, len(steps)):
            swapped = list(steps)
            swapped[index], swapped[other] = steps[other], step
            assert not holds(replace(whole, steps=tuple(swapped)))


@pytest.mark.parametrize("name", GOLDEN)
def test_a_certificate_for_another_number_is_rejected(name: str) -> None:
    certificate = golden(name)
    for n in (certificate.n + 2, certificate.n * certificate.n, mpz(1), mpz(0), mpz(-97), -certificate.n, ARNAULT):
        assert not holds(replace(certificate, n=mpz(n)))


def changed_pocklingtons(certificate: Pocklington) -> Iterator[tuple[str, str, Pocklington]]:
    """Every field of an N-1 certificate and of those within it, changed in every way."""
    for way, n in numbers(certificate.n, [factor.p for factor in certificate.factors]):
        yield "n", way, replace(certificate, n=n)
    factors = certificate.factors
    for index, factor in enumerate(factors):

        def put(*given: ProvenFactor, at: int = index) -> Pocklington:
            return replace(certificate, factors=(*factors[:at], *given, *factors[at + 1 :]))

        yield "factors", "doubled", put(factor, factor)
        yield "factors", "dropped", put()
        for way, p in numbers(factor.p, [other.p for other in factors[:index]]):
            yield "p", way, put(replace(factor, p=p))
        if factor.base is not None and factor.certificate is not None:
            yield "certificate", "dropped", put(replace(factor, certificate=None))
            for way, base in numbers(factor.base, [certificate.n, certificate.n - 1, mpz(1)]):
                yield "base", way, put(replace(factor, base=base))
            for field, way, inner in changed_pocklingtons(factor.certificate):
                yield f"inner {field}", way, put(replace(factor, certificate=inner))


@pytest.mark.parametrize("name", ["n-minus-1.pari", "n-minus-1-factorial.pari"])
def test_a_certificate_by_n_minus_1_with_any_field_changed_is_rejected_unless_what_is_left_proves_as_much(name: str) -> None:
    whole = golden(name)
    assert isinstance(whole, Pocklington)
    for field, way, changed in changed_pocklingtons(whole):
        if not holds(changed):
            continue
        # Another base proves as much as the one that stood there; so do the factors that are left when one can be spared, or
        # when it is replaced by another prime factor; and the factor below 3.3e24 needs no certificate.
        assert field in ("base", "factors", "inner factors", "inner p", "p", "certificate", "inner certificate"), (field, way)
        assert changed.n == whole.n
        part = 1
        for factor in changed.factors:
            assert oracle.is_prime(int(factor.p)) and (changed.n - 1) % factor.p == 0
            part *= power_in(changed.n - 1, factor.p)
        assert part**3 > changed.n


@given(primo_chains() | pari_chains | pocklingtons | st.builds(Chain, integers))
def test_any_certificate_is_rejected_or_its_number_is_prime(certificate: Certificate) -> None:
    assert not holds(certificate) or gmpy2.is_prime(certificate.n)


# Small primes, by which every chain ends.


def test_the_bases_are_those_of_the_worker() -> None:
    assert (BASES, BASES_BOUND) == (primes.BASES, primes.BASES_BOUND)


def test_numbers_below_100_000_are_called_what_they_are() -> None:
    prime = oracle.sieve(100_000)
    assert [n for n in range(-50, 100_000) if is_small_prime(mpz(n)) != (n > 0 and prime[n])] == []


@pytest.mark.parametrize(("start", "end"), [(2**32, 500), (2**64 - 300, 600), (10**21, 300)])
def test_larger_small_numbers_are_called_what_they_are(start: int, end: int) -> None:
    assert [n for n in range(start, start + end) if is_small_prime(mpz(n)) != oracle.is_prime(n)] == []


def test_the_first_composite_that_passes_all_bases_is_not_called_prime() -> None:
    assert not is_small_prime(mpz(BASES_BOUND))
    assert not is_small_prime(gmpy2.next_prime(BASES_BOUND))  # nor a prime above: nobody has proved it


@given(st.integers(5, 10**40), st.integers(-3, 3))
def test_the_bound_of_the_theorem_is_exact(n: int, near: int) -> None:
    edge = isqrt(n) + 2 * isqrt(isqrt(n)) + 1
    for q in (edge + near, edge // 2, edge * 2, near):
        assert exceeds_bound(mpz(q), mpz(n)) == (q > 1 and textbook.above(q, n))


@pytest.mark.parametrize("root", [2, 3, 10, 10**12])
def test_a_number_at_the_bound_is_not_above_it(root: int) -> None:
    assert not exceeds_bound(mpz(root + 1) ** 2, mpz(root) ** 4)
    assert exceeds_bound(mpz(root + 1) ** 2 + 1, mpz(root) ** 4)


# Multiplication, modulo numbers that need not be prime.


def finite(k: int, point: textbook.Point, a: int, p: int) -> textbook.Point:
    return textbook.times(k, point, a % p, p)


@given(
    st.sampled_from([5, 7, 11, 13, 101, 211]), st.integers(0, 300), st.integers(0, 300), st.integers(1, 300), st.integers(1, 700)
)
def test_a_multiple_modulo_a_prime_is_right_or_known_to_be_none(p: int, a: int, x: int, y: int, k: int) -> None:
    point = (x % p, y % p)
    if (4 * a**3 + 27 * (y * y - x**3 - a * x) ** 2) % p and point[1]:
        big_x, big_y, z = multiply(mpz(k), mpz(point[0]), mpz(point[1]), mpz(a % p), mpz(p))
        if z % p:
            inverse = pow(int(z), -1, p)
            assert finite(k, point, a, p) == (big_x * inverse**2 % p, big_y * inverse**3 % p)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 300), st.integers(1, 2_000))
def test_a_multiple_modulo_a_product_is_right_modulo_each_prime_or_known_to_be_none(a: int, x: int, y: int, k: int) -> None:
    n = 13 * 101 * 7
    if gmpy2.gcd(4 * a**3 + 27 * (y * y - x**3 - a * x) ** 2, n) == 1:
        big_x, big_y, z = multiply(mpz(k), mpz(x), mpz(y), mpz(a), mpz(n))
        if gmpy2.gcd(z, n) == 1:
            inverse = pow(int(z), -1, n)
            for p in (13, 101, 7):
                expected = (int(big_x * inverse**2 % p), int(big_y * inverse**3 % p))
                assert finite(k, (x % p, y % p), a, p) == expected


def test_no_multiple_that_a_proof_needs_is_missed() -> None:
    p = 211
    a, b, q = next((a, b, q) for a in range(p) for b in range(1, p) if oracle.is_prime(q := order(a, b, p)) and q > 200)
    x, y = points(a, b, p)[0]
    for k in (*range(1, q - 2), q - 1):  # [q-2] adds -Q to -Q; a cofactor s is smaller by far
        assert multiply(mpz(k), mpz(x), mpz(y), mpz(a), mpz(p))[2] % p, k
    assert multiply(mpz(q), mpz(x), mpz(y), mpz(a), mpz(p))[2] % p == 0


# Forgeries.


def points(a: int, b: int, p: int) -> list[tuple[int, int]]:
    roots: dict[int, list[int]] = {}
    for y in range(p):
        roots.setdefault(y * y % p, []).append(y)
    return [(x, y) for x in range(p) for y in roots.get((x**3 + a * x + b) % p, [])]


def order(a: int, b: int, p: int) -> int:
    """How many points the curve has, O among them; 0 if it is singular."""
    if (4 * a**3 + 27 * b * b) % p == 0:
        return 0
    square = {y * y % p for y in range(1, p)}
    values = [(x**3 + a * x + b) % p for x in range(p)]
    return p + 1 + sum(0 if not v else 1 if v in square else -1 for v in values)


def join(first: int, p: int, second: int, r: int) -> mpz:
    """The number that is this modulo p, and that modulo r."""
    return mpz(first + p * ((second - first) * pow(p, -1, r) % r))


def curves_of(p: int, wanted: Callable[[int], bool], seed: int) -> tuple[int, int, int]:
    """a, b and the number of points of some curve modulo p."""
    rng = random.Random(seed)
    while True:
        a, b = rng.randrange(p), rng.randrange(p)
        found = order(a, b, p)
        if found and wanted(found):
            return a, b, found


def half_killed() -> tuple[mpz, Step, mpz]:
    """n = p r, a step for it, and q: all holds but that [s]P is O modulo p, though not modulo n. Naive verifiers take it."""
    for p in (prime for prime in oracle.primes(200) if prime > 50):
        for r in (1_009, 2_003, 3_001, 4_001):
            n = p * r
            for seed in range(3):
                a, b, q = curves_of(r, oracle.is_prime, seed)
                s = round((n + 1) / q)
                if (n + 1 - s * q) ** 2 <= 4 * n and textbook.above(q, n) and (s - p - 1) ** 2 < 4 * p:
                    c, d, _ = curves_of(p, lambda found, s=s: found == s, seed)
                    (x, y), (u, v) = points(c, d, p)[0], points(a, b, r)[0]
                    curve = Affine(join(c, p, a, r), join(x, p, u, r), join(y, p, v, r))
                    return mpz(n), Step(mpz(n), mpz(n + 1 - s * q), mpz(s), curve), mpz(q)
    raise AssertionError("no such product")


def test_a_point_that_is_killed_modulo_one_prime_factor_only_is_rejected() -> None:
    n, step, q = half_killed()
    a, curve = int(step.curve.a), step.curve
    assert isinstance(curve, Affine) and not gmpy2.is_prime(n) and oracle.is_prime(int(q))
    factors = [p for p in oracle.primes(5_000) if n % p == 0]
    killed = [textbook.times(int(step.s), (int(curve.x) % p, int(curve.y) % p), a % p, p) is None for p in factors]
    assert killed == [True, False]  # so [s]P is not O modulo n
    assert all(textbook.times(int(step.s * q), (int(curve.x) % p, int(curve.y) % p), a % p, p) is None for p in factors)
    assert reason(Chain(n, (step,))) == "[s]P is O modulo a factor of n"


def test_a_point_whose_multiple_is_o_modulo_one_prime_factor_only_is_rejected() -> None:
    n, step, q = half_killed()
    m = int(step.s * q)
    p, r = (prime for prime in oracle.primes(5_000) if n % prime == 0)
    c, d, _ = curves_of(p, lambda found: m % found != 0, 1)
    u, v = next(point for point in points(c, d, p) if textbook.times(m, point, c, p) is not None)
    assert isinstance(step.curve, Affine)
    a, x, y = (int(value) % r for value in (step.curve.a, step.curve.x, step.curve.y))
    assert textbook.times(m, (x, y), a, r) is None and textbook.times(int(step.s), (u, v), c, p) is not None
    other = Affine(join(c, p, a, r), join(u, p, x, r), join(v, p, y, r))
    assert reason(Chain(n, (replace(step, curve=other),))) == "[m]P is not O"


def test_a_singular_curve_is_rejected() -> None:
    whole = chain("30-digits.pari")
    first = whole.steps[0]
    cusp = Affine(mpz(0), mpz(1), mpz(1))  # y^2 = x^3
    assert reason(Chain(whole.n, (replace(first, curve=cusp),))) == "the curve is singular modulo a factor of n"
    for curve in (Invariant(mpz(0), mpz(5)), Invariant(mpz(1728), mpz(5)), Coefficients(mpz(0), mpz(0), mpz(5))):
        assert reason(Chain(whole.n, (replace(first, curve=curve),))) == "the curve is singular modulo a factor of n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"t": mpz(10) ** 20}, "t lies outside Hasse's bound, |t| <= 2 sqrt(n)"),
        ({"s": mpz(354)}, "s does not divide m = n + 1 - t"),
        ({"s": mpz(0)}, "s does not divide m = n + 1 - t"),
        ({"n": mpz(4)}, "expected 100000000000…000000000319 here"),
    ],
)
def test_a_rejection_says_which_condition_fails(change: dict[str, mpz], words: str) -> None:
    whole = chain("30-digits.pari")
    assert reason(replace(whole, steps=(replace(whole.steps[0], **change), whole.steps[1]))) == words


def test_a_rejection_says_which_step_fails() -> None:
    whole = chain("100-digits.pari")
    steps = list(whole.steps)
    steps[6] = replace(steps[6], t=steps[6].t + 2)
    with pytest.raises(Rejected, match=r"step 7 \(\d{12}….*\): s does not divide m = n \+ 1 - t") as caught:
        verify(replace(whole, steps=tuple(steps)))
    assert caught.value.step == 7


@pytest.mark.parametrize("s", [1, 2, 4, 8])
def test_a_cofactor_that_leaves_too_small_a_prime_is_rejected(s: int) -> None:
    p = 10_007
    a, b, found = curves_of(p, lambda found: found % 8 == 0 and oracle.is_prime(found // 8), 5)
    x, y = points(a, b, p)[0]
    q = found // 8
    assert not textbook.above(max(oracle.primes(100)), p)
    step = Step(mpz(p), mpz(p + 1 - found), mpz(s * q), Affine(mpz(a), mpz(x), mpz(y)))
    assert reason(Chain(mpz(p), (step,))) == "q = m / s is not above (n^(1/4) + 1)^2"


def test_no_chain_proves_a_number_of_arnaults_or_a_product_of_primes() -> None:
    whole = chain("100-digits.pari")
    last = whole.steps[-1]
    p = whole.n
    for n in (ARNAULT, p * p, p * gmpy2.next_prime(10**30), p * last.n):
        assert reason(Chain(mpz(n))) == "the last number is no prime below 3.3e24"
        for step in (whole.steps[0], last):  # a sound step, said to be one of n
            assert not holds(Chain(mpz(n), (replace(step, n=mpz(n)), *whole.steps[1:])))
        # m = s q with q a prime that has a certificate: the curve's order is what is forged.
        q = whole.n
        for s in (n // q, n // q + 1):
            if s and (n + 1 - s * q) ** 2 <= 4 * n:
                forged = Step(mpz(n), n + 1 - s * q, mpz(s), Affine(mpz(3), mpz(2), mpz(5)))
                assert not holds(Chain(mpz(n), (forged, *whole.steps)))


def test_no_curve_with_a_point_proves_a_small_composite() -> None:
    rng = random.Random(1)
    numbers_ = [n for n in range(25, 4_000) if gmpy2.gcd(n, 6) == 1 and not gmpy2.is_prime(n)]
    for _ in range(1_500):
        n = rng.choice(numbers_)
        m = n + 1 - rng.randrange(-isqrt(4 * n), isqrt(4 * n) + 1)
        q = max(p for p in range(2, m + 1) if m % p == 0 and gmpy2.is_prime(p))
        curve = Affine(mpz(rng.randrange(n)), mpz(rng.randrange(n)), mpz(rng.randrange(n)))
        assert not holds(Chain(mpz(n), (Step(mpz(n), mpz(n + 1 - m), mpz(m // q), curve),)))


def factors_of(m: int) -> list[mpz]:
    return [mpz(p) for p in oracle.primes(isqrt(m) + 1) if m % p == 0] + (
        [mpz(rest)] if (rest := int(m // gmpy2.gcd(m, gmpy2.primorial(isqrt(m)) ** 40))) > 1 else []
    )


def test_every_prime_below_2_000_is_proved_by_the_factors_of_its_predecessor_and_no_composite_is() -> None:
    prime = oracle.sieve(2_000)
    for n in range(3, 2_000):
        certificate = Pocklington(mpz(n), tuple(map(ProvenFactor, factors_of(n - 1))))
        assert holds(certificate) == prime[n], n


def test_no_carmichael_number_is_proved_by_the_factors_of_its_predecessor() -> None:
    carmichael = oracle.carmichael_numbers(100_000)
    assert len(carmichael) == 16
    for n in carmichael:
        factors = factors_of(n - 1)
        assert all(pow(base, n - 1, n) == 1 for base in range(2, 100) if gmpy2.gcd(base, n) == 1)
        assert not has_bases(mpz(n), [ProvenFactor(p) for p in factors])
        assert not all(any(is_base(mpz(base), mpz(n), p) for base in range(2, 2_000)) for p in factors), n
        assert not holds(Pocklington(mpz(n), tuple(map(ProvenFactor, factors))))


def test_a_product_of_two_primes_that_are_1_modulo_f_is_found_in_its_digits() -> None:
    p, r, part = 2_311, 3_851, 5 * 7 * 11  # 1 + 6 F and 1 + 10 F
    n = p * r
    generator = {
        modulus: next(g for g in range(2, 99) if all(pow(g, (modulus - 1) // f, modulus) != 1 for f in factors_of(modulus - 1)))
        for modulus in (p, r)
    }
    base = join(pow(generator[p], (p - 1) // part, p), p, pow(generator[r], (r - 1) // part, r), r)
    inner = {5: (2,), 7: (2,), 11: (5,)}
    factors = tuple(ProvenFactor(mpz(f), base, Pocklington(mpz(f), tuple(ProvenFactor(mpz(g)) for g in inner[f]))) for f in inner)
    assert all(is_base(base, mpz(n), factor.p) for factor in factors)
    assert part**2 < n < part**3
    assert reason(Pocklington(mpz(n), factors)) == "n is a product of two factors 1 modulo F"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[97, [3]]", "the factors of n - 1 are too few: their part F is not above n^(1/3)"),
        ("[97, [2, 5]]", "5 is no factor of n - 1"),
        ("[97, [2, 2]]", "a factor stands there twice"),
        ("[97, [4]]", "the factor 4 is no prime below 3.3e24 and has no certificate"),
        ("[97, [1]]", "1 is no factor of n - 1"),
        ("[97, [-2]]", "-2 is no factor of n - 1"),
        ("[97, [2, [3, 5, [5, [2]]]]]", "the certificate for the factor 3 is for another number"),
        ("[97, [2, [3, 96, [3, [2]]]]]", "there is no base for a factor"),
        ("[91, [2, 3, 5]]", "there is no base for a factor"),
        ("[2, [2]]", "n is below 3 or even"),
        ("[-97, [2]]", "n is below 3 or even"),
    ],
)
def test_a_certificate_by_n_minus_1_that_does_not_hold_is_rejected_in_words(text: str, words: str) -> None:
    assert reason(read(text.encode())) == words


def test_bases_are_found_where_every_small_prime_is_a_square() -> None:
    n = gmpy2.fac(427) + 1
    assert all(gmpy2.jacobi(p, n) == 1 for p in oracle.primes(427)[1:])
    verify(Pocklington(n, (ProvenFactor(mpz(2)), ProvenFactor(mpz(3)), ProvenFactor(mpz(5)), ProvenFactor(mpz(7)))))


# The program.


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    return status, *capsys.readouterr()


def test_each_file_gets_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(VECTORS / name) for name in ("100-digits.primo", "n-minus-1.pari", "small.pari")]
    status, out, err = run(capsys, *files)
    first, second, third = out.splitlines()
    assert (status, err) == (0, "")
    assert first.startswith(f"{files[0]}: 100000000000…000000000289 is prime: 100 digits, ECPP, 11 steps, 0.")
    assert second.startswith(f"{files[1]}: 100000000000…000000000319 is prime: 30 digits, N-1, 2 steps, 0.")
    assert third.startswith(f"{files[2]}: 97 is prime: 2 digits, small, 0 steps, 0.")


def test_a_rejected_file_makes_the_status_1_and_an_unreadable_one_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good, bad, none = str(VECTORS / "small.pari"), tmp_path / "bad", tmp_path / "none"
    bad.write_text("[97, [3]]")
    status, out, err = run(capsys, good, str(bad))
    assert (status, err) == (1, "")
    assert out.splitlines()[1].startswith(f"{bad}: not proven, step 1 (97): the factors of n - 1 are too few")
    bad.write_text("rubbish")
    status, out, err = run(capsys, str(bad), good, str(none))
    assert status == 2
    assert out.startswith(f"{good}: 97 is prime")
    assert err.splitlines()[0] == f"{bad}: not read, line 1, column 1: expected [ or a number, got 'rubbish'"
    assert err.splitlines()[1].startswith(f"{none}: not read, [Errno 2] No such file")


def test_standard_input_is_a_file_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[97, [2]]\n")))
    status, out, _ = run(capsys, "-")
    assert status == 0 and out.startswith("-: 97 is prime: 2 digits, N-1, 1 steps, 0.")


def test_a_certificate_for_another_number_than_was_asked_for_is_not_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(VECTORS / "small.primo")
    assert run(capsys, file, "--number", "97")[0] == 0
    status, out, _ = run(capsys, file, "--number", "89")
    assert (status, out) == (1, f"{file}: not proven, step 0 (97): expected a certificate for 89\n")


@pytest.mark.parametrize("module", ["certificates", "services.worker.verify"])
def test_an_interrupt_ends_it_without_a_traceback(tmp_path: Path, module: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    verifier = subprocess.Popen([sys.executable, "-m", module, pipe], cwd=ROOT, stderr=subprocess.PIPE)
    with killed_at_last(verifier) as program:
        with pipe.open("wb"):  # it has begun to read
            assert interrupt(program) == b"\nstopped\n"
        assert program.returncode == 130


def interrupt(program: subprocess.Popen[bytes]) -> bytes:
    """What a program that reads says when it is interrupted, as often as it takes: a signal that comes after Python has looked for
    one, and before its read begins, is seen when the read ends.
    """
    for _ in range(6):
        program.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return program.communicate(timeout=5)[1]
    pytest.fail("it does not end")


@pytest.mark.parametrize("number", ["x", "-97", "9" * 50_001, "٩٧"])
def test_a_bad_number_is_refused(capsys: pytest.CaptureFixture[str], number: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run(capsys, "file", f"--number={number}")
    assert caught.value.code == 2
    assert "expected up to 50000 decimal digits" in capsys.readouterr().err
