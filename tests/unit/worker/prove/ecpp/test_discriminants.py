"""The tables hold fundamental discriminants only, each once, with class numbers that are nearly right."""

import math
from math import prod

import pytest

from services.worker.prove.ecpp.discriminants import (
    BITS,
    PRIMES,
    TIERS,
    Discriminant,
    estimate_class_number,
    groups,
    last,
    signed_primes,
    usable,
)


def class_number(discriminant: int) -> int:
    """By counting reduced forms."""
    count = 0
    for b in range(discriminant % 2, math.isqrt(-discriminant // 3) + 1, 2):
        product = (b * b - discriminant) // 4
        for a in range(max(b, 1), math.isqrt(product) + 1):
            if product % a == 0:
                count += 1 if b in (0, a) or a * a == product else 2
    return count


def is_fundamental(discriminant: int) -> bool:
    core = discriminant if discriminant % 4 == 1 else discriminant // 4
    squarefree = all(core % (p * p) for p in range(2, math.isqrt(-core) + 1))
    return squarefree and (discriminant % 4 == 1 or (discriminant % 4 == 0 and core % 4 in (2, 3)))


ALL = (1 << len(PRIMES)) - 1


def table(of_last: bool = False) -> list[Discriminant]:
    bits = [bit for bit, prime in enumerate(PRIMES) if abs(prime) < TIERS[0]]
    if of_last:
        return [known for bit in bits for known in last(bit, ALL)]
    return [known for bit in bits for _, group in groups(bit) for known in group]


def test_small_fundamental_discriminants_are_all_there() -> None:
    expected = {d for d in range(-120, -2) if is_fundamental(d)}
    assert {known.value for known in table() if known.value >= -120} == expected


@pytest.mark.parametrize("of_last", [False, True])
def test_each_is_there_once_and_is_the_product_of_its_primes(of_last: bool) -> None:
    values = [known.value for known in table(of_last)]
    assert len(values) == len(set(values))
    for known in table(of_last)[::100]:
        primes = [prime for bit, prime in enumerate(PRIMES) if known.primes >> bit & 1]
        assert prod(primes) == known.value
        assert sorted(primes) == sorted(signed_primes(known.value))
        assert is_fundamental(known.value)


def test_the_last_ones_are_others() -> None:
    assert not {known.value for known in table()} & {known.value for known in table(of_last=True)}


def test_each_prime_has_its_bit() -> None:
    assert all(PRIMES[bit] == prime for prime, bit in BITS.items())
    assert len(BITS) == len(PRIMES)


@pytest.mark.parametrize("discriminant", [-23, -84, -163, -420, -5460, -99528, -33947])
def test_class_numbers_are_estimated(discriminant: int) -> None:
    assert estimate_class_number(discriminant) == pytest.approx(class_number(discriminant), rel=0.35)


def test_a_product_of_other_primes_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a product of different signed primes below"):
        signed_primes(-9)


@pytest.mark.parametrize("primes", [0, 0b101, 0b1011011101, ALL])
@pytest.mark.parametrize("bit", [0, 2, 3, 9])
def test_usable_ones_are_made_of_the_primes_alone(bit: int, primes: int) -> None:
    these = primes | 1 << bit
    assert set(usable(bit, these)) == {known for _, group in groups(bit) for known in group if known.primes | these == these}
    assert set(last(bit, these)) == {known for known in last(bit, ALL) if known.primes | these == these}


def test_beyond_the_tiers_the_last_ones_are_all_that_there_are() -> None:
    bit = next(bit for bit, prime in enumerate(PRIMES) if abs(prime) > TIERS[-1])
    values = {known.value for known in last(bit, ALL)}
    prime = abs(PRIMES[bit])
    assert {d for d in range(-30 * prime, 0, prime) if is_fundamental(d) and d % (prime * prime)} <= values
