"""What the code has, the documentation names; what the documentation names, the repository has."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from reference import metrics
from services.jobs.messages import SENTENCES, Fault, Verdict
from services.web.plain import protocol as plain
from services.web.v1 import outbox, peer, responses
from services.web.v1.errors import NUMBERS, RETRY_AFTER, Code
from services.web.v1.methods import METHODS
from tests.unit.docs.documents import DOCUMENTS, ROOT, anchors, read, rows


def test_every_make_target_is_told() -> None:
    for target in re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE):
        assert f"`make {target}`" in read("CONTRIBUTING.md"), target


def targets() -> set[str]:
    """What make has rules for."""
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))


def test_every_phony_target_has_a_rule() -> None:
    """Of one that has none make says that nothing is to be done, and ends with status 0."""
    (phony,) = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert set(phony.split()) == targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_has_made_can_be_made(document: Path) -> None:
    told = set(re.findall(r"(?:`|^    )(?:\w+=\S+ )?make ([a-z-]+)", document.read_text(), re.MULTILINE))
    assert {target for target in told if not target.startswith("fault-")} <= targets()


def test_every_decision_is_listed_under_its_heading() -> None:
    decisions = sorted(ROOT.glob("docs/decisions/0*.md"))
    listed = re.findall(r"^- \[(.*)\]\((.*)\)$", read("docs/decisions/README.md"), re.MULTILINE)
    assert [name for _, name in listed] == [path.name for path in decisions]
    for (heading, _), path in zip(listed, decisions, strict=True):
        first = path.read_text().partition("\n")[0]
        assert re.sub(r"^# \d+\. ", "", first) == heading


def test_metrics_that_the_operations_name_are_there() -> None:
    series = {name.removesuffix("_total") for name in metrics.metrics()}
    for name in re.findall(r"(?<![:\w])primes_(?!access|redis\b)\w+", read("docs/operations.md")):
        assert re.sub(r"_(total|bucket|max)$", "", name) in series, name
    recorded = re.findall(r"record: ([\w:]+)", read("monitoring/prometheus/rules/recording.yml"))
    for name in re.findall(r"\b[a-z_]+:primes_[\w:]+", read("docs/operations.md")):
        assert name in recorded, name


def test_every_route_is_told() -> None:
    registered = re.findall(r"""url\(r"([^"]+)",""", read("services/web/__main__.py") + read("services/runtime/endpoints.py"))
    assert len(registered) >= 6
    for route in registered:
        path = route.replace("(.*)", "N").replace("([^/]*)", "ID")
        assert re.search(rf"`(GET|POST) {re.escape(path)}`", read("docs/protocol.md")), route


def test_the_contract_has_every_http_route_and_no_other() -> None:
    registered = re.findall(r"""url\(r"([^"]+)",""", read("services/web/__main__.py") + read("services/runtime/endpoints.py"))
    named = {"/primes/(.*)": "/primes/{n}", "/certificates/(.*)": "/certificates/{sha256}"}
    paths = set()
    for route in registered:
        _, start, end = next((route.partition(form) for form in named if route.startswith(form)), ("", "", route))
        paths.add(named.get(start, "") + end.replace("([^/]*)", "{id}"))
    assert set(yaml.safe_load(read("docs/openapi.yaml"))["paths"]) == paths - {"/chatsocket", "/metrics"}


def test_every_verdict_and_fault_is_told() -> None:
    for value in (*Verdict, *Fault):
        assert f"`{value}`" in read("docs/protocol.md"), value


def test_every_sentence_of_the_plain_protocol_is_told() -> None:
    fixed = {
        plain.INVALID,
        plain.BUSY,
        *plain._SENTENCE.values(),
        *(f"No answer: {told}".encode() for told in SENTENCES.values()),
    }
    for sentence in fixed:
        assert f"| `{sentence.decode()}` |" in read("docs/protocol.md"), sentence


def test_every_error_is_told_with_its_status() -> None:
    handlers = "".join(path.read_text() for path in (ROOT / "services/web").glob("**/*.py"))
    ours = re.findall(r"""self\._?(?:fail|refuse)\((\d+), "(\w+)\"""", handlers)
    nginx = re.findall(r"""^ +(\d+) '\{"error":\{"code":"(\w+)\"""", read("nginx/conf/error_messages.conf"), re.MULTILINE)
    assert len(ours) >= 4 and len(nginx) >= 6
    for status, code in ours + nginx:
        assert f"| {status} | `{code}` |" in read("docs/protocol.md"), (status, code)


@pytest.mark.parametrize("code", Code)
def test_every_error_of_primes_v1_is_told_with_its_number_and_whether_to_try_again(code: Code) -> None:
    retry = f"after {RETRY_AFTER[code]} s" if code in RETRY_AFTER else "no"
    (row,) = rows("docs/protocol-v1.md", code)
    assert (row[1], row[3]) == (str(NUMBERS[code]), retry)


def test_every_method_and_close_code_of_primes_v1_is_told() -> None:
    told = read("docs/protocol-v1.md")
    for method in METHODS:
        assert f"### `{method}`" in told
    notice = json.loads(responses.going_away(1))
    assert f"### `{notice['method']}`" in told and all(f"`{name}`" in told for name in notice["params"])
    for code, reason in (peer.EVICTED, outbox.TOO_SLOW, peer.MISSED):
        assert f"| {code}, reason `{reason}` |" in told


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_links_to_is_there(document: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@cache
def names_of_tests() -> set[str]:
    """The names of all tests."""
    texts = [path.read_text() for path in ROOT.glob("tests/**/*.py")]
    return {name for text in texts for name in re.findall(r"(?:def |^)(test_\w+)(?:\(| = )", text, re.MULTILINE)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_that_a_document_names_are_there(document: Path) -> None:
    for name in re.findall(r"`(test_\w+)`", document.read_text()):
        assert name in names_of_tests(), name


def test_every_guarantee_names_the_tests_that_hold_it() -> None:
    _, *sections = re.split(r"^## .*$", read("docs/guarantees.md"), flags=re.MULTILINE)
    sentences = [line for section in sections for line in section.splitlines() if line]
    assert len(sentences) >= 10
    for sentence in sentences:  # that the tests exist: see above
        assert re.fullmatch(r"- [A-Z].*[^.]: `test_\w+`(, `test_\w+`)*", sentence), sentence


def test_every_fault_is_told_with_alerts_that_are_there() -> None:
    faults = re.findall(r"^  ([a-z-]+)  ", read("faults/fault.sh"), re.MULTILINE)
    assert len(faults) >= 6
    assert re.findall(r"^\| `([a-z-]+)` \|", read("docs/faults.md"), re.MULTILINE) == faults
    alerts = re.findall(r"alert: (\w+)", read("monitoring/prometheus/rules/alerts.yml"))
    assert set(re.findall(r"Primes\w+", read("docs/faults.md"))) <= set(alerts)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_document_names_are_there(document: Path) -> None:
    folders = r"services|clients|deploy|faults|nginx|monitoring|redis|local|reference|tests|docs|\.ci"
    for path in re.findall(rf"(?<![\w/.])(?:{folders})/[\w./-]*\w(?![\w:-])", document.read_text()):
        assert (ROOT / path).exists(), path
