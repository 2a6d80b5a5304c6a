"""The primes of an upload alone."""

from lists.item import Item
from services.jobs.chunks import Chunk, Outcome, Refusal, pack
from services.jobs.messages import Answer, Fault, Verdict
from services.web.upload import origins
from services.web.upload.formats import FORMATS
from services.web.upload.listing import AnswerList
from services.web.upload.origins import Origins
from services.web.upload.store import Sealed


def told(packed: bytes, kept: Origins, after: int = 0) -> bytes:
    """What is told of an upload of one chunk."""
    return b"".join(AnswerList(after, 0, FORMATS["primes"]).blocks(Sealed(1, [(packed, origins.pack(kept))], 9, 9)))


def test_primes_and_probable_primes_come_as_they_were_asked_and_nothing_else_does() -> None:
    verdicts = [Verdict.PRIME, Verdict.COMPOSITE, Verdict.PROBABLY_PRIME, Verdict.NEITHER]
    answers = [Answer(index, verdict, "", 0, 0) for index, verdict in enumerate(verdicts)]
    failed = Answer(4, Verdict.UNKNOWN, "", 0, 0, fault=Fault.DEADLINE)
    chunk = Chunk(0, 1, "7\n9\n127\n1\n5\n\n", [Refusal(5, "not_an_integer", "")])
    packed = pack(Outcome.of_answers(chunk, [*answers, failed]))
    kept = origins.of_lines(1, ["007", "9", "2^7-1", "1", "5", "x", ""])
    assert told(packed, kept) == b"007\n2^7-1\n"
    assert told(packed, kept, after=1) == b"2^7-1\n"


def test_terms_of_a_b_file_have_their_index() -> None:
    packed = pack(
        Outcome.of_answers(Chunk(0, 4, "2\n4"), [Answer(0, Verdict.PRIME, "", 0, 0), Answer(1, Verdict.COMPOSITE, "", 0, 0)])
    )
    kept = Origins(False, [origins.of(Item(4, "2", place="-1")), origins.of(Item(5, "4", place="0"))])
    assert told(packed, kept) == b"-1 2\n"
