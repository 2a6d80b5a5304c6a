"""Texts of numbers and expressions: what is read is what Python says of it, and what is none is refused by name."""

import contextlib
import tracemalloc

import gmpy2
from hypothesis import example, given
from hypothesis import strategies as st

from services.jobs import expression
from services.jobs.evaluation import NoInteger, evaluate
from services.web.ask import number, question
from tests.fuzz import steps
from tests.fuzz.sentences import check_sentence

MOST = 1_000  # digits
REFUSALS = (number.NotAnInteger, expression.NotAnExpression, *question.TOO_LARGE)

CALLS = [
    "fib(7)+",
    "fib(47840)-",
    "Phi(150150,2)+",
    "Phi(9240,6)*",
    "binomial(33222,16611)+",
    "p(10000)+",
    "5900!2+",
    "fib(",
    "Phi(2,",
]
PIECES = "0123456789+-_ eEx.\t\u3000\uff19\uff17\u0663\u2212\u00b2"

texts = st.text(st.sampled_from(PIECES), max_size=30) | st.text(max_size=20)
CALLED = ["fib(", "luc(", "binomial(", "Phi(", "p(", ",", "!2", "7)", "30)", "(3)", "6,2)", "sin(", "fib"]
words = st.sampled_from(
    [*"0123456789+-*/^!#()_ ²³×−.", "**", "0x1f", "M127", "R(19)", "F(5)", "1e9", "10^9", "9" * 20, "¹²", "½", "((", "))", *CALLED]
)
expressions = st.lists(words, max_size=40).map("".join)
sums = st.recursive(
    st.integers(0, 200).map(str),
    lambda inner: (
        st.tuples(inner, st.sampled_from([" + ", "-", "*", "//"]), inner).map(lambda parts: f"({''.join(parts)})")
        | inner.map(lambda part: f"(-{part})")
        | inner.map(lambda part: f"({part})**2")
    ),
    max_leaves=12,
)


@given(texts)
@example("1e400")
@example("-0")
@example("0x")
@example("+")
@example("1" + "_1" * 999)
def test_a_number_is_read_as_int_reads_it(text: str) -> None:
    expected = read = None
    with contextlib.suppress(ValueError):
        expected = int(text)
    with contextlib.suppress(number.NotAnInteger):
        read = number.read(text, MOST)
    assert read == (None if expected is None else str(expected))


@given(texts | expressions)
@example("(" * 2_000)
@example("-" * 2_000)
@example("!" * 2_000)
@example("9" + "!" * 300)
@example("1_" * 999)
@example("²" * 1_999)
@example("2" + " ²" * 900)
@example("0^0^0^0")
@example("0x" + "f" * 1_900)
@example("fib(" * 300)
@example("binomial(3000,1500)+Phi(2310,2)-luc(4000)*p(9999)#/700!2")
@example("Phi(6,10^30-10^30)")
def test_whatever_is_asked_is_a_question_or_refused_by_name(text: str) -> None:
    try:
        asked = question.read(text, MOST)
    except REFUSALS as error:
        check_sentence(error)
        return
    assert asked.number.isascii()
    if not asked.digits:
        assert asked.number == str(int(asked.number))
    else:
        assert expression.read(asked.number, MOST).text == asked.number  # what a worker reads is what was asked
        with contextlib.suppress(NoInteger, expression.NotAnExpression):
            value = evaluate(expression.read(asked.number, MOST).tree)
            assert gmpy2.num_digits(abs(value), 10) <= asked.digits + 1 <= MOST + 2


@given(sums)
def test_an_expression_has_the_value_that_python_gives_it(text: str) -> None:
    exact = text.replace("//", "/")
    try:
        asked = expression.read(exact, MOST)
        value = evaluate(asked.tree)
    except (expression.NotAnExpression, expression.TooLarge, NoInteger):
        return  # a remainder, by zero, or too large
    assert value == eval(text)


@given(
    st.sampled_from([*sorted(PIECES), "9+", "1_", "(", "-", "2^", "²", "² ", "1e", "M1", "R(1)", "0x", "!", "F(", "1.1e", *CALLS]),
    st.integers(1, 66_000),
)
@example("1_", 11_000)
def test_reading_takes_steps_and_memory_in_proportion_to_the_text(piece: str, size: int) -> None:
    text = (piece * size)[:size]

    def read() -> None:
        with contextlib.suppress(*REFUSALS):
            question.read(text, 10_000)

    read()
    assert steps.count(read) <= 10_000 + 20 * 11_000
    tracemalloc.start()
    try:
        read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2 * size * (1 if text.isascii() else 4) + 400_000  # of a tree of 200 nodes, however short the text
