"""How long a write to Redis waits for company. No I/O."""

CROWD = 4  # jobs of one write that show that others come soon: 800 a second with the usual wait


class CommitDelay:
    """A write begins so many seconds after the last one, if that one carried a crowd; else at once.

    An entry costs Redis, a worker and this process much the same, however few jobs it carries. A job that comes alone waits
    for no other.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0  # the next write does not begin earlier

    def rest(self, now: float) -> float:
        """Seconds until the next write; not above 0: it is due. By the same clock as `note`."""
        return self._until - now

    def note(self, now: float, jobs: int) -> None:
        """A write of so many jobs begins."""
        self._until = now + self._seconds if jobs >= CROWD else 0.0
