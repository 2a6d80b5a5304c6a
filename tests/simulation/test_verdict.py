"""What the judge admits where Redis lost data: what the protocol names, and nothing more."""

import pytest

from tests.chaos.history import Asked, Event, Shown
from tests.simulation.client import Client, Request
from tests.simulation.plan import Plan
from tests.simulation.verdict import judge_client
from tests.simulation.world import World

PLAN = Plan(1, 3.0, 1, 1, 1, [], [])


def judged(answers: list[Shown], losses: list[float], *, resumed: str = "0", cancelled_at: float | None = None) -> list[str]:
    """What is said of one request of a client that came over its second socket from the offset `resumed` on."""
    client = Client(World(1), 0, 1, lambda _: None)
    request = Request("c0-0", "7", 0.0, proof=False, answers=[each.verdict for each in answers])
    if cancelled_at is not None:
        request.cancelling, request.cancelled = cancelled_at, True
    events: list[Event] = [Asked(0.0, "c0-0", "7"), *answers]
    client.history, client.requests, client.resumed = events, [request], {1: resumed}
    return judge_client(client, PLAN, losses)


@pytest.mark.parametrize(
    ("offset", "resumed", "losses", "admitted"),
    [
        ("2-3", "2-2", [1.5], True),
        ("2-3", "2-3", [1.5], False),
        ("2-3", "1-1", [1.5], False),
        ("2-3", "2-2", [], False),
        ("2-3", "2-2", [0.5], False),
        ("1-3", "1-2", [1.5], False),
    ],
    ids=["the window", "told to go on behind it", "no answer of that Redis", "no loss", "a loss before", "the same Redis"],
)
def test_a_repetition_is_admitted_in_the_one_window_that_the_protocol_names(
    offset: str, resumed: str, losses: list[float], admitted: bool
) -> None:
    said = judged([Shown(1.0, "c0-0", "prime", "1-1", 0), Shown(2.0, "c0-0", "prime", offset, 1)], losses, resumed=resumed)
    assert (not said) == admitted


@pytest.mark.parametrize(("loss", "admitted"), [(0.5, False), (1.5, True), (2.5, False)], ids=["before", "between", "after"])
def test_a_cancelled_request_is_answered_only_where_redis_lost_the_cancellation(loss: float, admitted: bool) -> None:
    said = judged([Shown(2.0, "c0-0", "prime", "2-1", 0)], [loss], cancelled_at=1.0)
    assert (not said) == admitted
