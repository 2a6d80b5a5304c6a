"""What is asked is an integer or an expression, and of neither may there be a digit too many."""

import pytest

from services.web.ask import question
from services.web.ask.number import TooManyDigits

MOST = 1_000


@pytest.mark.parametrize("text", [f"10^{MOST}", f"-10^{MOST}", f"10^{MOST}+1", f"1e{MOST}", "1" + "0" * MOST])
def test_a_digit_too_many_is_refused_alike_in_decimal_and_by_an_expression(text: str) -> None:
    with pytest.raises(TooManyDigits, match=r"^1,001 digits came, at most 1,000 are taken$"):
        question.read(text, MOST)


@pytest.mark.parametrize(
    "text", [f"10^{MOST}-1", f"1-10^{MOST}", f"9*10^{MOST - 1}", "9" * MOST, f"10^{MOST}/10", f"(10^{MOST}-1)/7/11"]
)
def test_a_value_that_just_fits_is_taken(text: str) -> None:
    assert question.read(text, MOST)
