"""How long a write to Redis waits for company. No I/O."""

CROWD = 4  # jobs of one write that show that others come soon: 800 a second with the usual wait
EARLY = 0.6  # of the wait: after it a write begins if as many jobs wait as before the last one
LOOKS = 2  # before a write: then, and at the end of the wait


class CommitDelay:
    """A write begins so many seconds after the last one, if that one carried a crowd; else at once.

    An entry costs Redis, a worker and this process much the same, however few jobs it carries. A job that comes alone waits
    for no other; where clients ask one number after the other, and as many wait as before the last write, all have asked again and
    nobody else is waited for.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = 0.0  # the last write
        self._jobs = 0  # of the last write
        self._had = 0  # these, and what it left for want of room

    def rest(self, now: float, waiting: int) -> float:
        """Seconds until the next write, or the next look; not above 0: it is due. By the same clock as `note`.

        `waiting`: jobs that it would carry now.
        """
        if self._jobs < CROWD:
            return 0.0
        early = self._began + EARLY * self._seconds
        if now < early or waiting >= self._had:
            return early - now
        return self._began + self._seconds - now

    def note(self, now: float, jobs: int, left: int = 0) -> None:
        """A write of so many jobs begins, and leaves others waiting."""
        self._began, self._jobs, self._had = now, jobs, jobs + left
