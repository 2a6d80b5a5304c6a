"""The uploads of a process: places, notices, and how each upload ends."""

import pytest

from services.jobs.chunks import Chunk
from services.jobs.names import Lane
from services.web.upload.registry import Registry
from services.web.upload.store import NoRoom
from services.web.upload.upload import PendingChunk, Upload
from services.web.upload.watchers import Watchers


def registry(*uploads: Upload, most: int = 2, watchers: Watchers | None = None) -> Registry:
    made = Registry(watchers or Watchers(), most)
    for upload in uploads:
        made.add(upload)
    return made


def upload(*numbers: int) -> Upload:
    """With these chunks on their way."""
    chunks = {number: PendingChunk(Chunk(number, 1, "2"), Lane.QUICK, b"", "") for number in numbers}
    return Upload("id", keyed=False, client="192.0.2.1", pending=chunks)


def test_those_that_begin_take_places_too() -> None:
    ours = registry(upload(0), most=2)
    refused = pytest.raises(NoRoom, match="2 uploads are under way in this process, 0 of them of this client")
    with ours.place("192.0.2.2"), refused, ours.place("192.0.2.3"):
        pass
    with ours.place("192.0.2.2"):
        assert len(ours.active) == 1


def test_a_client_leaves_places_to_others() -> None:
    ours = registry(most=4)
    refused = pytest.raises(NoRoom, match="2 uploads are under way in this process, 2 of them of this client")
    with ours.place("192.0.2.1"), ours.place("192.0.2.1"):
        with refused, ours.place("192.0.2.1"):
            pass
        with ours.place("192.0.2.2"), ours.place("192.0.2.3"):
            pass


def test_a_sealed_upload_is_followed_until_its_last_outcome() -> None:
    ours = registry(followed := upload(0, 1))
    ours.seal(followed)
    ours.hear(b"id 1")
    assert ours.active == [followed]
    ours.hear(b"id 0")
    assert ours.active == []
    assert not followed.gone


def test_an_upload_that_is_being_read_stays_without_chunks_on_their_way() -> None:
    ours = registry(read := upload(0))
    ours.hear(b"id 0")
    assert ours.active == [read]
    assert read.news.is_set()


def test_a_deleted_upload_is_gone() -> None:
    ours = registry(deleted := upload(0))
    ours.hear(b"id")
    assert ours.active == []
    assert deleted.gone
    assert not deleted.reading


def test_an_upload_is_given_up_once() -> None:
    ours = registry(abandoned := upload(0))
    assert ours.give_up(abandoned, "abandoned")
    assert not ours.give_up(abandoned, "failed")
    assert ours.active == []


def test_a_notice_wakes_those_that_wait_for_its_upload_and_no_others() -> None:
    ours = registry(watchers=(watchers := Watchers()))
    with watchers.watch("id") as news, watchers.watch("other") as others:
        ours.hear(b"id 0")
        assert news.is_set()
        assert not others.is_set()


def test_one_of_two_that_watch_may_leave() -> None:
    watchers = Watchers()
    with watchers.watch("id") as stays:
        with watchers.watch("id"):
            pass
        watchers.tell("id")
        assert stays.is_set()
    watchers.tell("id")  # nobody is left
