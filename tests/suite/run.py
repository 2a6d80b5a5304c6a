"""A run of parts, of which one has the terminal at a time."""

import asyncio
import sys
import tempfile

from tests.suite import part
from tests.suite.part import Part, Result


class Run:
    """Runs parts before the reader's eyes or out of sight, and keeps what became of each.

    What runs out of sight is printed when it has ended and nothing else prints; in return no two parts' lines mix.
    """

    def __init__(self) -> None:
        self.results: list[Result] = []  # in the order in which the parts ended
        self._unread: list[tuple[Part, bytes]] = []  # ended out of sight, and what it said

    @property
    def status(self) -> int:
        """The exit status of the first part that failed; 0 if none did."""
        return next((result.status for result in self.results if result.status != 0), 0)

    async def in_sight(self, one: Part) -> bool:
        """Run a part that prints as it goes; tell whether it succeeded. One at a time."""
        self.read_out()
        _head(one)
        return self._keep(await part.run(one))

    async def out_of_sight(self, one: Part) -> bool:
        """Run a part beside others; tell whether it succeeded."""
        with tempfile.TemporaryFile() as log:
            try:
                return self._keep(await part.run(one, log))
            finally:
                log.seek(0)
                self._unread.append((one, log.read()))

    async def until_one_fails(self, seen: Part, *unseen: Part) -> bool:
        """Run one in sight beside the others; the first failure ends them all. Tell whether all succeeded."""
        parts = [asyncio.ensure_future(one) for one in (self.in_sight(seen), *map(self.out_of_sight, unseen))]
        try:
            for ended in asyncio.as_completed(parts):
                if not await ended:
                    return False
            return True
        finally:
            for one in parts:
                one.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    def read_out(self) -> None:
        """Print what the parts said that have ended out of sight."""
        for one, said in self._unread:
            _head(one)
            sys.stdout.write(said.decode(errors="replace"))
        sys.stdout.flush()
        self._unread.clear()

    def _keep(self, result: Result) -> bool:
        self.results.append(result)
        return result.status == 0


def _head(one: Part) -> None:
    print(f"\n== {one.name}", flush=True)
