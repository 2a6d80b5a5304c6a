"""Towers of class fields lead to curves of the right order, for each kind of discriminant."""

import gmpy2
import pytest
from gmpy2 import mpz

from certificates.ecpp import multiply, place
from services.worker.prove.certify import load_pari
from services.worker.prove.ecpp import curves
from services.worker.prove.ecpp.classfields import class_field
from services.worker.prove.ecpp.classgroups import class_group, class_number, prepare, prime_factors
from services.worker.prove.ecpp.invariants import Function, choose
from services.worker.prove.ecpp.orders import traces
from services.worker.prove.ecpp.roots import find_j, root
from tests.unit.worker.prove.ecpp.numbers import MEMORY, prime
from tests.unit.worker.prove.ecpp.test_orders import roots, usable

# At least one of each function and power, of one class and of many, with class groups of several factors.
DISCRIMINANTS = [
    -7,
    -8,
    -11,
    -15,
    -19,
    -20,
    -23,
    -24,
    -35,
    -40,
    -43,
    -47,
    -51,
    -52,
    -68,
    -71,
    -84,
    -87,
    -88,
    -104,
    -119,
    -132,
    -163,
    -260,
]
LARGE = [-87, -88, -104, -119, -132, -163, -260, -1155, -2788, -4503, -12415, -16383, -21716, -27384, -29535, -51208, -415380]


def split_prime(discriminant: int) -> tuple[mpz, mpz]:
    """A prime with a curve, and a trace."""
    for seed in range(5_000):
        n = prime(30, seed)
        if usable(discriminant, n) and (found := traces(n, discriminant, roots(discriminant, n))):
            return n, found[0]
    raise AssertionError(f"no prime splits for {discriminant}")


@pytest.mark.parametrize("discriminant", [*DISCRIMINANTS, *LARGE])
def test_one_of_the_twists_has_the_order(discriminant: int) -> None:
    n, t = split_prime(discriminant)
    orders = set()
    for _, curve in zip(range(4), curves.twists(n, discriminant, MEMORY), strict=False):
        a, _, x, y = place(curve, n)
        orders |= {sign for sign in (1, -1) if multiply(int(n + 1 - sign * t), x, y, a, n)[2] == 0}
    assert orders == {1, -1}


@pytest.mark.parametrize("discriminant", [-3, -4])
def test_all_twists_come_where_there_are_more_than_two(discriminant: int) -> None:
    n, _ = split_prime(discriminant)
    missing = set(traces(n, discriminant, roots(discriminant, n)))
    for curve in curves.twists(n, discriminant, MEMORY):
        a, _, x, y = place(curve, n)
        missing -= {t for t in missing if multiply(int(n + 1 - t), x, y, a, n)[2] == 0}
        if not missing:
            break
    assert not missing


@pytest.mark.parametrize("discriminant", [-23, -163, -84, -231, -119])
def test_the_invariant_is_a_root_of_paris_class_polynomial(discriminant: int) -> None:
    n, _ = split_prime(discriminant)
    pari, _ = load_pari(MEMORY)
    order = choose(discriminant).discriminant
    assert pari.polclass(order).subst("x", int(find_j(n, class_field(discriminant, MEMORY)))) % int(n) == 0


def test_every_function_is_chosen_for_some_discriminant() -> None:
    assert {choose(discriminant).function for discriminant in DISCRIMINANTS} == set(Function)


@pytest.mark.parametrize("discriminant", [-420, -5460, -3299, -4027])
def test_a_class_group_has_each_class_once(discriminant: int) -> None:
    pari, _ = load_pari(MEMORY)
    group = class_group(pari, discriminant)
    assert len(set(group.forms)) == len(group.forms) == class_number(discriminant, MEMORY)
    assert list(group.primes) == prime_factors(len(group.forms))
    for form in group.forms:
        a, b, c = prepare(form, 48) if discriminant % 2 == 0 else prepare(form, 3)
        assert b * b - 4 * a * c == discriminant
        assert gmpy2.gcd(a, 3) == 1 and b % 3 == 0


def test_a_polynomial_that_does_not_split_is_told_from_one_that_does() -> None:
    n = mpz(10**30 + 57)
    assert root([mpz(-6), mpz(11), mpz(-6), mpz(1)], n) in (1, 2, 3)
    with pytest.raises(ArithmeticError, match="n is not prime"):
        root([mpz(1), mpz(1), mpz(0), mpz(1)], prime(30, 1) * prime(30, 2))


def test_no_curve_is_found_for_an_order_that_none_has() -> None:
    n, t = split_prime(-7)
    with pytest.raises(ArithmeticError, match="no curve with the discriminant -7 has the order"):
        curves.find(n, -7, t + 2, mpz(1), MEMORY)
