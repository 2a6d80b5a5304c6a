"""What is written to a client that does not read, and what becomes of a batch."""

import pytest

from services.web.v1.batch import Batch
from services.web.v1.outbox import count_fitting


@pytest.mark.parametrize(
    ("sizes", "room", "fitting"),
    [([], 0, 0), ([3], 3, 1), ([3], 2, 0), ([3, 4, 5], 12, 3), ([3, 4, 5], 11, 2), ([9, 1], 8, 0), ([1], -1, 0)],
)
def test_as_many_messages_are_written_as_there_is_room_for(sizes: list[int], room: int, fitting: int) -> None:
    assert count_fitting([b"x" * size for size in sizes], room) == fitting


def test_a_batch_is_one_message_when_its_last_response_is_there() -> None:
    batch = Batch(open=3, responses=[b"1"])
    assert batch.close_one() == []
    batch.responses.append(b"2")
    assert [batch.close_one(), batch.close_one()] == [[], [b"[1,2]"]]


@pytest.mark.parametrize(("held", "sent"), [([], []), ([b"1", b"2"], [b"[1,2]"])])
def test_a_batch_that_is_dissolved_gives_what_it_held(held: list[bytes], sent: list[bytes]) -> None:
    batch = Batch(open=4, responses=held)
    assert batch.dissolve() == sent
    assert batch.dissolved
