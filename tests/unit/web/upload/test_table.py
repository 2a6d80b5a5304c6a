"""The answers to an upload as CSV: which columns, and what a spreadsheet makes of them."""

import csv
import io
from pathlib import Path

import pytest

from lists.item import Item
from services.jobs.chunks import Chunk, Outcome, Refusal, pack
from services.jobs.evidence import CertificateName, Factor, Witness
from services.jobs.messages import Answer, Fault, Verdict
from services.web.upload import origins
from services.web.upload.formats import FORMATS
from services.web.upload.listing import AnswerList, NoTexts
from services.web.upload.origins import Origins
from services.web.upload.store import Interrupted, Progress, Reading, Sealed
from services.web.upload.table import FOUND, PLACE, cell
from tests.unit.clients.twins import table

TITLES = ",".join(PLACE + FOUND) + "\r\n"


def outcome(first: int, text: str, *answers: Answer, refused: list[Refusal] | None = None) -> bytes:
    """Of a chunk, packed."""
    return pack(Outcome.of_answers(Chunk(0, first, text, refused or []), answers))


def told(progress: Progress | None, after: int = 0, number: int = 0) -> str:
    return b"".join(AnswerList(after, number, FORMATS["csv"]).blocks(progress)).decode()


def rows(text: str) -> list[dict[str, str]]:
    """What a reader of CSV has, without the empty cells."""
    return [{name: value for name, value in row.items() if value} for row in csv.DictReader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize("text", table("cells"))
def test_a_cell_is_quoted_and_runs_nothing(text: str) -> None:
    assert cell(text) == table("cells")[text]


def test_a_row_has_what_was_found_of_its_line() -> None:
    answers = (
        Answer(0, Verdict.PRIME, "BPSW", 0, 0, evidence=CertificateName("ab")),
        Answer(1, Verdict.COMPOSITE, "trial division", 0, 0, evidence=Factor(7)),
        Answer(3, Verdict.COMPOSITE, 'a "strong" test', 0, 0, evidence=Witness(2)),
        Answer(4, Verdict.PROBABLY_PRIME, "BPSW", 0, 0),
        Answer(5, Verdict.UNKNOWN, "", 0, 0, fault=Fault.POISON),
    )
    packed = outcome(1, "97\n91\n\n341\n2\n3\n", *answers, refused=[Refusal(6, "not_an_integer", "got '=1+1'")])
    kept = origins.pack(origins.of_lines(1, ["097", "91", "", "341", "2", "3", "=1+1"]))
    text = told(Sealed(1, [(packed, kept)], 7, 6))
    assert text.startswith(TITLES) and text.count("\r\n") == text.count("\n") == 7
    one, two, four, five, six, seven = rows(text)
    assert one == {"line": "1", "text": "097", "verdict": "prime", "proven": "true", "method": "BPSW", "certificate": "ab"}
    assert (two["verdict"], two["factor"], "witness" in two) == ("composite", "7", False)
    assert (four["line"], four["witness"], four["method"]) == ("4", "2", 'a "strong" test')
    assert (five["verdict"], five["proven"]) == ("probably_prime", "false")
    assert six.keys() == {"line", "text", "error", "message"} and six["error"] == "poison"
    assert seven == {"line": "7", "text": "'=1+1", "error": "not_an_integer", "message": "got '=1+1'"}


def test_a_row_has_the_index_and_the_variables_of_its_line_and_its_item_where_numbers_are_counted() -> None:
    item = Item(3, "1*2^7-1", place="-2", variables=(("a", "1"), ("b", "7")))
    packed = outcome(5, "127", Answer(0, Verdict.PRIME, "table", 0, 0))
    (row,) = rows(told(Reading(1, [(packed, origins.pack(Origins(True, [origins.of(item)])))])))
    assert {name: row[name] for name in PLACE} == {
        "line": "3",
        "item": "5",
        "text": "1*2^7-1",
        "index": "-2",
        "variables": "a=1 b=7",
    }


def test_titles_come_once_and_not_where_a_table_goes_on() -> None:
    first, second = (
        (outcome(line, "7", Answer(0, Verdict.PRIME, "", 0, 0)), origins.pack(origins.of_lines(line, ["7"]))) for line in (1, 2)
    )
    assert told(Sealed(2, [first, second], 2, 2)).count(TITLES) == 1
    assert rows(TITLES + told(Sealed(2, [second], 2, 2), after=1, number=1)) == [
        {"line": "2", "text": "7", "verdict": "prime", "proven": "true"}
    ]
    assert told(Sealed(0, [], 0, 0)) == TITLES


def test_a_table_that_is_not_complete_has_no_row_that_says_so_and_knows_why() -> None:
    for progress, code in ((None, "lost"), (Interrupted(0, []), "interrupted")):
        listing = AnswerList(0, 0, FORMATS["csv"])
        assert list(listing.blocks(progress)) == []
        assert listing.ended and not listing.complete
        assert listing.failure and listing.failure[0] == code


@pytest.mark.parametrize("format", ["csv", "primes"])
def test_a_plain_list_without_texts_has_no_table_and_no_primes(format: str) -> None:
    packed = outcome(1, "7", Answer(0, Verdict.PRIME, "", 0, 0))
    with pytest.raises(NoTexts):
        list(AnswerList(0, 0, FORMATS[format]).blocks(Reading(1, [(packed, b"")])))


def test_the_titles_are_in_the_protocol() -> None:
    assert TITLES.strip() in (Path(__file__).parents[4] / "docs/protocol.md").read_text()
