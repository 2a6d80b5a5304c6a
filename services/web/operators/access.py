"""What one web process may do with dead letters, and for whom."""

import hmac
import logging

from services.broker.connection import connect
from services.dead.shelf import Shelf
from services.web.settings import WebSettings

log = logging.getLogger("services.web")

NOT_CONFIGURED = "Dead letters are not configured in this web process"


class DeadLetterAccess:
    """A user of Redis of its own, since the user that answers clients may not read dead letters, and the operators' token."""

    def __init__(self, settings: WebSettings) -> None:
        self.obstacle = ""  # why it can do nothing; empty if it can
        self._token = b""
        folder = settings.operators_access
        if folder is None:
            self.obstacle = f"{NOT_CONFIGURED}: --operators-access (PRIMES_OPERATORS_ACCESS) names no folder"
            return
        try:
            self._token = (folder / "token").read_bytes().strip()
            access = {"redis_user": "operators", "redis_password_file": folder / "password"}
            self._redis = connect(settings.model_copy(update=access))
        except (OSError, UnicodeDecodeError) as error:
            self.obstacle = f"{NOT_CONFIGURED}: expected the readable files token and password in {folder}, got {error}"
            log.warning(self.obstacle)
            return
        if not self._token:
            self.obstacle = f"{NOT_CONFIGURED}: expected a token in {folder / 'token'}, got nothing"
        self.shelf = Shelf(self._redis)

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes as long for one that is nearly right as for any other."""
        return bool(self._token) and hmac.compare_digest(token.encode(), self._token)

    async def close(self) -> None:
        """Leave Redis."""
        if not self.obstacle:
            await self._redis.aclose()
