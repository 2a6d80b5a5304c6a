"""Computes one part of a proof at a time in a child process, and ends the process when a part takes too long."""

import asyncio
import time

from services.worker.compute.frames import framed
from services.worker.compute.killable_process import Died, KillableProcess, receive, send

LONGEST = 60.0  # seconds that one part may compute: most take a quarter of one, the last one of a proof some


class PartProcess(KillableProcess):
    """Parts and outcomes are bytes here: the child alone reads and writes them."""

    def __init__(self, memory: int) -> None:
        """`memory` in MiB."""
        super().__init__("services.worker.parts.child", memory)
        self._used = time.monotonic()  # when it last computed

    @property
    def idle(self) -> float:
        """Seconds for which a child that is there has had nothing to compute."""
        return time.monotonic() - self._used if self.started else 0.0

    async def compute(self, part: bytes) -> bytes:
        """What came of a part; nothing (b"") of one that cannot be read. Cancelled, it ends the child. Raises Died, NotStarted."""
        process = await self._start()
        computed = False
        try:
            async with asyncio.timeout(LONGEST):
                await send(process, framed(part))
                outcome = await receive(process)
            computed = True
            return outcome
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._mourn(process) from error
        except TimeoutError as error:
            raise Died(f"a part of a proof took longer than {LONGEST:g} s") from error
        finally:
            self._used = time.monotonic()
            if not computed:
                await self._end()
