"""What the chaos suite concludes from a history, and how it tells Redis' messages apart."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.history import (
    CANCELLED,
    LATE,
    Asked,
    Away,
    Closed,
    Ended,
    Event,
    Forgotten,
    Left,
    Opened,
    Refused,
    Repeated,
    Shown,
    Unwanted,
    blamed,
    judge,
)
from tests.chaos.resp import Splitter, is_message

BEGIN = Opened(0.0, 0, "web0", "token", None)


def shown(at: float, request: str, number: int = 1, verdict: str = "prime", epoch: int = 1) -> Shown:
    return Shown(at, request, verdict, f"{epoch}-{number}", 0)


def test_a_history_without_fault_is_clean() -> None:
    figures = judge([BEGIN, Asked(1, "a", "97"), Asked(2, "b", "91"), shown(3, "a"), shown(4, "b", 2, "composite")])
    assert (figures.requests, figures.answered, figures.gap) == (2, 2, 2)
    assert figures.clean


def test_the_end_of_a_request_answers_it_if_its_client_wanted_that() -> None:
    ended = shown(3, "a", verdict=CANCELLED)
    assert judge([BEGIN, Asked(1, "a", "97"), Unwanted(2, "a"), ended]).clean
    assert judge([BEGIN, Asked(1, "a", "97"), ended]).wrong == 1


def test_an_answer_may_come_before_its_cancellation_and_not_after() -> None:
    unwanted: list[Event] = [BEGIN, Asked(1, "a", "97"), Unwanted(2, "a")]
    assert judge([*unwanted, Ended(3, "a", ended=False), shown(4, "a")]).clean
    assert judge([*unwanted, Ended(3, "a", ended=True), shown(4, "a")]).wrong == 1


@pytest.mark.parametrize(
    ("deadline", "at", "wrong"),
    [(0.0, 9, 1), (2.0, 2.6, 1), (2.0, 2.8, 0), (2.0, 3, 0)],
    ids=["none named", "early", "stopped", "over"],
)
def test_a_request_is_late_only_when_its_own_time_is_over(deadline: float, at: float, wrong: int) -> None:
    assert judge([BEGIN, Asked(1, "a", "97", deadline), shown(at, "a", verdict=LATE)]).wrong == wrong


def test_who_leaves_loses_nothing_and_is_answered_rightly_before() -> None:
    asked: list[Event] = [BEGIN, Asked(1, "a", "97"), Asked(1, "b", "91")]
    assert judge([*asked, shown(2, "a"), Left(3)]).clean
    assert judge([*asked, shown(2, "a", verdict="composite"), Left(3)]).wrong == 1


@pytest.mark.parametrize(
    ("again", "duplicated"),
    [
        ([shown(4, "a")], 0),
        ([shown(4, "a"), shown(5, "a")], 1),
        ([shown(4, "a", verdict="probably_prime")], 1),
        ([Shown(4, "a", "prime", "1-1", 1)], 1),
    ],
    ids=["the same", "twice", "another verdict", "another socket"],
)
def test_a_repetition_without_need_may_be_answered_once_with_the_same(again: list[Event], duplicated: int) -> None:
    history = [BEGIN, Asked(1, "a", "97"), Repeated(2, "a", 0), shown(3, "a"), *again]
    assert judge(history).duplicated == duplicated


@pytest.mark.parametrize(
    ("offsets", "disordered"),
    [(["9-1", "2-1"], 0), (["9-1", "9-1", "2-1"], 0), (["9-1", "2-2", "2-1"], 1), (["9-1", "2-1", "9-1", "2-2"], 1)],
    ids=["a new epoch", "the former offset until it has one", "back in it", "the former offset once more"],
)
@pytest.mark.parametrize("loss", [Forgotten(3, 0), Opened(3, 1, "web1", BEGIN.session, recovered=False)])
def test_offsets_begin_anew_once_a_loss_is_told(loss: Event, offsets: list[str], disordered: int) -> None:
    first, *later = [Shown(at, str(at), "prime", offset, 0) for at, offset in enumerate(offsets)]
    assert judge([BEGIN, first, loss, *later]).disordered == disordered


def test_of_a_bad_history_what_shows_it_is_blamed() -> None:
    good: list[Event] = [Asked(1, "a", "97"), shown(2, "a")]
    bad: list[Event] = [Asked(1, "b", "97"), shown(2, "b", 2, "composite"), Asked(3, "c", "97")]
    assert blamed([BEGIN, *good, *bad]) == [BEGIN, *bad]


def test_nothing_asked_proves_nothing() -> None:
    assert not judge([BEGIN]).clean


@pytest.mark.parametrize(
    ("events", "figure"),
    [
        ([Asked(1, "a", "97")], "lost"),
        ([Asked(1, "a", "97"), Refused(2, "a", "busy", 0)], "lost"),
        ([Asked(1, "a", "97"), shown(2, "a"), shown(3, "a", 2)], "duplicated"),
        ([Asked(1, "a", "97"), shown(2, "a"), Closed(3, 0, None), shown(4, "a")], "duplicated"),
        ([Asked(1, "a", "97"), shown(2, "a", verdict="composite")], "wrong"),
        ([Asked(1, "a", "97"), shown(2, "a", verdict="error poison")], "wrong"),
        ([Asked(1, "a", "97"), shown(2, "a"), shown(2, "b", 2)], "wrong"),
        ([Asked(1, "a", "97"), Asked(1, "b", "97"), shown(2, "a", 2), shown(3, "b", 1)], "disordered"),
    ],
)
def test_a_fault_is_counted_once(events: list[Event], figure: str) -> None:
    figures = judge([BEGIN, *events])
    assert not figures.clean
    faults = {name: getattr(figures, name) for name in ("lost", "duplicated", "wrong", "disordered")}
    assert faults == {**dict.fromkeys(faults, 0), figure: 1}


@pytest.mark.parametrize("between", [Forgotten(3, 0), Opened(3, 1, "web1", "another token", False)])
def test_offsets_may_begin_again_when_a_loss_was_told(between: Event) -> None:
    figures = judge([BEGIN, Asked(1, "a", "97"), Asked(1, "b", "97"), shown(2, "a", 7, epoch=9), between, shown(4, "b")])
    assert figures.clean
    assert figures.forgotten == 1


def test_a_gap_leaves_out_the_time_that_the_client_stayed_away() -> None:
    figures = judge([BEGIN, Asked(1, "a", "97"), Away(3, 63), Opened(64, 1, "web1", "token", True), shown(65, "a")])
    assert figures.gap == 2


def test_a_gap_goes_on_while_the_service_cannot_be_reached() -> None:
    figures = judge([BEGIN, Asked(1, "a", "97"), Closed(2, 0, 1006), Opened(9, 1, "web1", "token", True), shown(10, "a")])
    assert figures.gap == 9


def test_a_client_that_waits_for_nothing_has_no_gap() -> None:
    assert judge([BEGIN, Asked(1, "a", "97"), shown(2, "a"), Asked(50, "b", "97"), shown(51, "b", 2)]).gap == 1


def test_a_wait_is_one_requests_whatever_others_are_answered() -> None:
    events = [BEGIN, Asked(1, "a", "97"), Asked(1, "b", "97"), shown(4, "b"), Away(5, 65), shown(66, "a", 2)]
    assert (judge(events).gap, judge(events).wait) == (3, 5)


def test_what_is_asked_while_the_client_is_away_waits_from_its_return() -> None:
    figures = judge([BEGIN, Asked(1, "a", "97"), Away(2, 62), Asked(10, "b", "97"), shown(63, "b"), shown(64, "a", 2)])
    assert (figures.gap, figures.wait) == (1, 3)


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


VALUES = st.recursive(
    st.one_of(
        st.binary(max_size=20).map(bulk),
        st.integers().map(b":%d\r\n".__mod__),
        st.sampled_from([b"+OK\r\n", b"-ERR no\r\n", b"$-1\r\n", b"_\r\n", b"#t\r\n", b",1.5\r\n", b"*-1\r\n", b"=5\r\ntxt:x\r\n"]),
    ),
    lambda parts: st.one_of(
        st.tuples(st.sampled_from([b"*", b">", b"~"]), st.lists(parts, max_size=4)).map(
            lambda made: made[0] + b"%d\r\n" % len(made[1]) + b"".join(made[1])
        ),
        st.lists(parts, max_size=4).map(lambda made: b"%%%d\r\n" % (len(made) // 2) + b"".join(made[: len(made) // 2 * 2])),
    ),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(0, 200)))
def test_values_are_told_apart_however_the_bytes_come(values: list[bytes], cuts: list[int]) -> None:
    data, splitter = b"".join(values), Splitter()
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[start:end] for start, end in pairwise(ends)]
    assert [value for part in parts for value in splitter.feed(part)] == values


@pytest.mark.parametrize("kind", [b">", b"*"])
def test_publications_are_told_from_subscriptions_and_replies(kind: bytes) -> None:
    assert is_message(kind + b"3\r\n" + bulk(b"message") + bulk(b"channel") + bulk(b"payload"))
    assert not is_message(kind + b"3\r\n" + bulk(b"subscribe") + bulk(b"channel") + b":1\r\n")
    assert not is_message(bulk(b"message"))
