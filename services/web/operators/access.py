"""What one web process may do with dead letters, and for whom."""

import hmac
import logging
from dataclasses import dataclass

import redis.asyncio

from services.broker.connection import connect
from services.dead.shelf import Shelf
from services.web.operators.guesses import Guesses
from services.web.settings import WebSettings

log = logging.getLogger("services.web")


@dataclass(frozen=True, slots=True)
class NotConfigured:
    """This web process may do nothing with them."""

    reason: str

    def __str__(self) -> str:
        return f"Dead letters are not configured in this web process: {self.reason}"

    async def close(self) -> None:
        """Nothing was opened."""


class DeadLetterAccess:
    """A user of Redis of its own, since the user that answers clients may not read dead letters, and the operators' token."""

    def __init__(self, redis: redis.asyncio.Redis, token: bytes) -> None:
        self._redis = redis
        self._token = token
        self.guesses = Guesses()
        self.shelf = Shelf(redis)

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes as long for one that is nearly right as for any other."""
        return hmac.compare_digest(token.encode(), self._token)

    async def close(self) -> None:
        """Leave Redis."""
        await self._redis.aclose()


def read_access(settings: WebSettings) -> DeadLetterAccess | NotConfigured:
    """What the operators' folder gives."""
    folder = settings.operators_access
    if folder is None:
        return NotConfigured("--operators-access (PRIMES_OPERATORS_ACCESS) names no folder")
    try:
        token = (folder / "token").read_bytes().strip()
        user = {"redis_user": "operators", "redis_password_file": folder / "password"}
        redis = connect(settings.model_copy(update=user))
    except (OSError, UnicodeDecodeError) as error:
        obstacle = NotConfigured(f"expected the readable files token and password in {folder}, got {error}")
        log.warning(str(obstacle))
        return obstacle
    if not token:
        return NotConfigured(f"expected a token in {folder / 'token'}, got nothing")
    return DeadLetterAccess(redis, token)
