"""Plain English: one sentence a line in the documents' sources, and no word that strangers read otherwise than it is meant."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.documents import DOCUMENTS, ROOT, STAND_INS

# What is written from measurements, or kept in a form of its own.
OWN_FORM = {ROOT / "CHANGELOG.md", STAND_INS, ROOT / "docs/certificates.md", ROOT / "docs/clients.md"}
MEASURED = re.compile(r"<!-- (?:measured by|make bench writes).*?<!-- .*?-->", re.DOTALL)
CODE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)

END = re.compile(r'(?<!\b[A-Z])(?<!^\d)[.!?][)"]* +[A-Z"(\[]')  # of a sentence, and another one after it; initials end none

# Words, and what says the same.
MISLEADING = {
    r"\bdear(er|est)?\b": "costly: letters begin with dear",
    r"\bfor nobody\b": "in vain",
    r"\bmilliard": "thousand million",
    r"\b(clients?|processes|workers?|jobs?|sockets?|sessions?),? who\b": "that: no person is meant",
}


def prose(document: Path) -> Iterator[str]:
    """The lines of a document that are neither code nor tables."""
    text = CODE.sub("", MEASURED.sub("", document.read_text()))
    for line in text.splitlines():
        if not line.startswith(("|", "    ", "#", "![")):
            yield re.sub(r"`[^`]*`", "``", line)


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path not in OWN_FORM], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_document_has_one_sentence_a_line(document: Path) -> None:
    for line in prose(document):
        assert not END.search(line), line
        assert re.search(r'[.:!?;)|>*"\]`]$|^$', line) or line.lstrip().startswith(("- ", "* ")) or len(line) < 60, (
            f"a sentence goes on: {line}"
        )


@pytest.mark.parametrize("word", MISLEADING)
def test_no_word_misleads(word: str) -> None:
    for path in sources():
        found = re.search(rf"^.*{word}.*$", path.read_text(), re.IGNORECASE | re.MULTILINE)
        assert not found, f"{path.relative_to(ROOT)}: {found and found[0].strip()!r}; better: {MISLEADING[word]}"


def sources() -> list[Path]:
    """What people read: code, configuration, documents."""
    folders = ["services", "clients", "local", "nginx", "redis", "monitoring", "deploy", "faults", "reference", "tests", "docs"]
    kinds = {".py", ".lua", ".md", ".sh", ".conf", ".yml", ".yaml"}
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    return [*ROOT.glob("*.md"), *ROOT.glob("*.yml"), ROOT / "Makefile", *(path for path in files if path != Path(__file__))]
