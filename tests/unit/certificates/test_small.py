"""The strong test is the one that the server makes."""

from hypothesis import given
from hypothesis import strategies as st

from certificates import small
from services.jobs import evidence


@given(st.integers(1, 10**30), st.integers(0, 2**64))
def test_the_strong_test_is_the_servers(half: int, base: int) -> None:
    n = 2 * half + 1
    assert small.fails_strong_test(n, base) == evidence.fails_strong_test(n, base)
