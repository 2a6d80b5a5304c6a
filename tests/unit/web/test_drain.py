"""Over how long a drain closes its sockets."""

import pytest

from services.web.drain import spread


@pytest.mark.parametrize(
    ("sockets", "drain", "seconds"),
    [
        (0, 10, 1),
        (200, 10, 1),  # a deploy with few clients is quick
        (2_500, 10, 5),  # 500 a second
        (50_000, 10, 8),  # the last answers and close handshakes have their time
        (200, 1, 0.8),
    ],
)
def test_the_spread_grows_with_the_sockets_within_the_drain(sockets: int, drain: float, seconds: float) -> None:
    assert spread(sockets, drain) == pytest.approx(seconds)
