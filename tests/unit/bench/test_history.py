"""What is said of a figure beside the last one of its row."""

from pathlib import Path

import pytest

from tests.bench import history
from tests.bench.history import COUNTED, INSTRUCTIONS, STOCK, Figure, Kept, append, compare, counted, judge, ratios, read
from tests.bench.measurement import Measurement


def figure(least: float, most: float, repetitions: int = 4) -> Figure:
    return Figure("plain-64x1 primes", STOCK, (least + most) / 2, least, most, repetitions)


def kept(least: float, most: float, repetitions: int = 4) -> Kept:
    return Kept("plain-64x1 primes", STOCK, (least + most) / 2, least, most, repetitions, "abc", "2026-11-29")


@pytest.mark.parametrize(
    ("now", "last", "said"),
    [
        (figure(1.0, 1.2), kept(1.1, 1.3), "within the spread"),
        (figure(1.0, 1.4), kept(1.1, 1.3), "within the spread"),
        (figure(1.2, 1.2), kept(1.0, 1.0), "more: +20%"),
        (figure(0.9, 0.9), kept(1.0, 1.0), "less: -10%"),
        (figure(1.2, 1.2, 2), kept(1.0, 1.0), "too few repetitions to tell, 4 are needed"),
        (figure(1.2, 1.2), kept(1.0, 1.0, 3), "too few repetitions to tell, 4 are needed"),
        (figure(1.2, 1.2, COUNTED), kept(1.0, 1.0, COUNTED), "more: +20%"),
    ],
)
def test_a_change_is_claimed_only_where_the_spread_of_both_allows_it(now: Figure, last: Kept, said: str) -> None:
    assert judge(now, last) == said


def test_what_is_kept_is_read_again_as_figures_of_its_commit(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    assert read(path) == []
    append([figure(1.0, 1.25)], "abc", path)
    append([counted(50_000.4, "web-plain-4x32", 0.01)], "abc", path)
    first, second = read(path)
    assert (first.row, first.unit, first.median, first.least, first.most, first.repetitions) == (
        "plain-64x1 primes", STOCK, 1.125, 1.0, 1.25, 4,
    )  # fmt: skip
    assert (second.median, second.least, second.most, second.unit) == (50_000, 49_500, 50_500, INSTRUCTIONS)
    assert first.commit == second.commit == "abc"


def test_a_figure_stands_beside_the_last_of_its_row_and_unit() -> None:
    other = Kept("v1-16x32 primes", STOCK, 1.0, 1.0, 1.0, 4, "def", "2026-11-30")
    (line,) = compare([figure(1.0, 1.0)], [kept(0.5, 0.5), kept(1.0, 1.0), other])
    assert line == ("plain-64x1 primes", STOCK, "1 (1–1 of 4)", "1 (1–1 of 4)", "abc", "within the spread")
    (line,) = compare([counted(7, "web-plain-4x32", 0.01)], [kept(0.5, 0.5)])
    assert line == ("web-plain-4x32", INSTRUCTIONS, "7", "", "", "first of its kind")


def test_rows_are_kept_as_ratios_to_stock_of_the_same_repetition() -> None:
    found = [
        Measurement(case, row, repetition, 1, 1.0, {"web": web})
        for case, row, repetition, web in [
            ("plain-64x1", "stock", 0, 10.0), ("plain-64x1", "stock", 1, 20.0), ("plain-64x1", "primes", 0, 12.0),
            ("plain-64x1", "primes", 1, 20.0), ("v1-64x1", "primes", 0, 20.0), ("bulk", "primes", 0, 5.0),
        ]
    ]  # fmt: skip
    assert ratios(found) == [
        Figure("plain-64x1 primes", STOCK, 1.1, 1.0, 1.2, 2), Figure("v1-64x1 primes", STOCK, 2.0, 2.0, 2.0, 1),
    ]  # fmt: skip


def test_the_history_that_is_kept_can_be_read() -> None:
    assert all(each.least <= each.median <= each.most for each in read(history.HISTORY))
