"""Follows an upload and tells its answers as they come."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

from services.web.shares import LOOKUP, Share
from services.web.upload.listing import AnswerList
from services.web.upload.patience import Unavailable
from services.web.upload.store import Sealed
from services.web.upload.uploads import Uploads

FETCHED = 4  # chunks at a time: what a reader takes of this process' memory, some hundred KB
POLL = 0.5  # seconds between two looks at an upload whose news does not come here


async def follow(
    uploads: Uploads, id: str, listing: AnswerList, patience: float, share: Share, *, sealed: bool
) -> AsyncGenerator[bytes, None]:
    """What is to be told, some answers at a time, until the list is over, or until none came for `patience` seconds.

    `share`: of the client; once it is empty, others go first.
    `sealed`: the upload is known to have been read to its end, so where Redis says otherwise, Redis has lost that.
    Where Redis is away it is asked again until time is up. Raises Unavailable if nothing was told by then. Raises NoTexts.
    """
    first, until = listing.number, time.monotonic() + patience
    with uploads.watch(id) as news:
        while True:
            news.clear()
            before = listing.number
            share.left -= LOOKUP
            try:
                progress = await uploads.look(id, before, FETCHED)
                if sealed and not isinstance(progress, Sealed):
                    progress = None
            except Unavailable:
                if time.monotonic() >= until:
                    if before == first:
                        raise
                    return
                await asyncio.sleep(min(POLL, patience))
                continue
            for block in share.meter(listing.blocks(progress)):
                yield block
            if listing.ended:
                return
            if listing.number > before:
                if share.left <= 0:
                    await share.turn()
                until = time.monotonic() + patience
            elif time.monotonic() >= until:
                return
            else:
                await _hear(news, min(POLL, max(0.0, until - time.monotonic())))


async def _hear(news: asyncio.Event, seconds: float) -> None:
    """Wait for news, but no longer than this."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), seconds)
