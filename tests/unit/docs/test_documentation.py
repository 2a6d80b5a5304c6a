"""What the code has, the documentation names; what the documentation names, the repository has."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from pydantic_core import PydanticUndefined

from monitoring import reference
from services.canary.settings import CanarySettings
from services.jobs import names
from services.jobs.messages import SENTENCES, Fault, Verdict
from services.jobs.names import Lane
from services.runtime.settings import ServiceSettings
from services.web.plain import protocol as plain
from services.web.settings import WebSettings
from services.web.v1 import outbox, peer, responses
from services.web.v1.errors import NUMBERS, RETRY_AFTER, Code
from services.web.v1.methods import METHODS
from services.worker.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md")), ROOT / ".ci/images/README.md"]

Row = tuple[str, ...]


@cache
def read(path: str) -> str:
    return (ROOT / path).read_text()


def rows(path: str, first: str) -> list[Row]:
    """The cells of every table row whose first cell is `first`, in back-quotes."""
    lines = [line for line in read(path).splitlines() if line.startswith(f"| `{first}` |")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def fields() -> Iterator[tuple[type[ServiceSettings], str]]:
    """Every setting of every service."""
    for settings in (WebSettings, WorkerSettings, CanarySettings):
        for name in settings.model_fields:
            yield settings, name


def anchors(path: Path) -> set[str]:
    """What a link to a heading may name, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("settings", "name"), [pytest.param(*field, id=f"{field[0].__name__}.{field[1]}") for field in fields()])
def test_the_readme_tells_every_setting_with_option_and_default(settings: type[ServiceSettings], name: str) -> None:
    default = settings.model_fields[name].default
    told = rows("README.md", f"PRIMES_{name.upper()}")
    option = f"`--{name.replace('_', '-')}`"
    assert any(row[1] == option for row in told), f"no row `PRIMES_{name.upper()}` with {option}"
    if default not in (PydanticUndefined, None, ""):
        assert str(default).lower() in [row[2].strip("`").lower() for row in told]


def test_the_readme_tells_no_setting_that_is_not_there() -> None:
    told = set(re.findall(r"^\| `(PRIMES_\w+)` \|", read("README.md"), re.MULTILINE))
    assert told <= {f"PRIMES_{name.upper()}" for _, name in fields()}


def test_the_readme_tells_every_variable_of_the_compose_file_with_its_default() -> None:
    variables = re.findall(r"\$\{(\w+):-([^}]*)\}", read("docker-compose.yml"))
    assert {name for name, _ in variables} == set(re.findall(r"(?<!\$)\$\{(\w+)", read("docker-compose.yml")))
    for name, default in variables:
        assert [row[1].strip("`") for row in rows("README.md", name)] == [default], name


def test_the_readme_tells_every_make_target() -> None:
    for target in re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE):
        assert f"make {target}" in read("README.md")


def test_the_page_of_metrics_is_what_the_code_makes() -> None:
    # in a process of its own: here other tests may have given labels other values
    printed = "from monitoring.reference import page; print(page(), end='')"
    made = subprocess.run([sys.executable, "-c", printed], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert read("docs/metrics.md") == made, "make metrics"
    assert len(re.findall(r"^\| `primes_", made, re.MULTILINE)) >= 40


def test_every_note_on_a_metric_is_on_one_that_is_there() -> None:
    assert reference.NOTES.keys() <= reference.metrics().keys()


def test_metrics_that_the_operations_name_are_there() -> None:
    series = {name.removesuffix("_total") for name in reference.metrics()}
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
    paths = {named.get(route, route).replace("([^/]*)", "{id}") for route in registered}
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


def test_every_name_in_redis_is_told() -> None:
    told = read("docs/architecture.md")
    per_lane = [name(lane) for name in (names.stream, names.bell) for lane in Lane]
    per_instance = [name("INSTANCE") for name in (names.results, names.pulse, names.deliveries, names.evictions, names.notices)]
    uploads = (names.upload("ID"), names.upload_key("DIGEST"), names.UPLOADS)
    runs = (names.question("DIGEST"), names.askers("LANE", "ENTRY"), names.KNOWN, names.PROMOTIONS)  # type: ignore[arg-type]
    certificates = (names.certificate("SHA256"), names.CERTIFICATES)
    sessions = (names.session("TOKEN"), names.history("TOKEN"))
    for name in (*per_lane, *per_instance, *sessions, names.DEAD, names.GROUP, *uploads, *runs, *certificates):
        assert f"`{name}`" in told, name


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
    folders = r"services|clients|deploy|faults|nginx|monitoring|redis|local|tests|docs|\.ci"
    for path in re.findall(rf"(?<![\w/.])(?:{folders})/[\w./-]*\w(?![\w:-])", document.read_text()):
        assert (ROOT / path).exists(), path
