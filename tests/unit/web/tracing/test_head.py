"""Whether a question is traced is decided once: by its client, as long as few ask for it, else by the dice."""

import pytest
from opentelemetry.trace import get_current_span

from services.runtime.tracing import read_context
from services.web.tracing.head import ASKED, Head
from tests.unit.spans import NOT_SAMPLED, SAMPLED

UNREADABLE = read_context("00-nothing-01")
ALWAYS, NEVER = 1.0, 0.0


@pytest.mark.parametrize(("drawn", "keeps"), [(0.0, True), (0.0099, True), (0.01, False), (0.99, False)])
def test_the_dice_decide_for_clients_that_do_not_say(drawn: float, keeps: bool) -> None:
    decides = Head(0.01, lambda: drawn)
    assert decides.keeps() is keeps
    assert decides.keeps(get_current_span(UNREADABLE).get_span_context()) is keeps


def test_none_is_kept_of_none_and_all_of_all() -> None:
    assert not any(Head(NEVER).keeps() for _ in range(1_000))
    assert all(Head(ALWAYS).keeps() for _ in range(1_000))


def test_a_client_decides_for_itself() -> None:
    asks, declines = (get_current_span(read_context(text)).get_span_context() for text in (SAMPLED, NOT_SAMPLED))
    assert Head(NEVER).keeps(asks)
    assert not Head(ALWAYS).keeps(declines)


def test_of_clients_that_ask_for_it_so_many_are_followed_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("services.web.tracing.head.time.monotonic", lambda: now)
    asks = get_current_span(read_context(SAMPLED)).get_span_context()
    decides = Head(NEVER)
    assert sum(decides.keeps(asks) for _ in range(100)) == ASKED
    now += 0.5
    assert sum(decides.keeps(asks) for _ in range(100)) == ASKED / 2
    now += 3_600
    assert sum(decides.keeps(asks) for _ in range(100)) == ASKED
