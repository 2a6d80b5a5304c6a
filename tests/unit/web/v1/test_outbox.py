"""What is written to a client that does not read."""

import pytest

from services.web.v1.outbox import count_fitting


@pytest.mark.parametrize(
    ("sizes", "room", "fitting"),
    [([], 0, 0), ([3], 3, 1), ([3], 2, 0), ([3, 4, 5], 12, 3), ([3, 4, 5], 11, 2), ([9, 1], 8, 0), ([1], -1, 0)],
)
def test_as_many_messages_are_written_as_there_is_room_for(sizes: list[int], room: int, fitting: int) -> None:
    assert count_fitting([b"x" * size for size in sizes], room) == fitting
