"""Pages that are written from the code are what the code makes; the page of names in Redis has what names.py has."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from reference import metrics, settings
from services.jobs import names
from services.jobs.names import Lane
from tests.unit.docs.documents import quoted, read, rows

# What stands in docs/redis.md for what tells two names of a kind apart, by the parameter of the function that makes them.
PLACEHOLDERS = {
    "client": "CLIENT",
    "digest": "DIGEST", "entry": "ENTRY", "id": "ID", "instance": "INSTANCE", "job": "JOB", "sha256": "SHA256", "token": "TOKEN",
    "web": "INSTANCE", "worker": "INSTANCE", "proof": "PROOF",
}  # fmt: skip
NAME = re.compile(r"(\{primes\}|primes):.*[^:]")  # of a key or channel; what ends in a colon is a prefix


@pytest.mark.parametrize(
    ("page", "rows"), [("limits", r"\| .*[0-9].* \|$"), ("metrics", r"\| `primes_"), ("settings", r"\| `PRIMES_")]
)
def test_a_page_that_the_code_makes_is_current(page: str, rows: str) -> None:
    # in a process of its own: here other tests may have given labels other values
    printed = f"from reference.{page} import page; print(page(), end='')"
    made = subprocess.run([sys.executable, "-c", printed], capture_output=True, text=True, check=True, timeout=60).stdout
    assert read(f"docs/{page}.md") == made, "make reference"
    assert len(re.findall(f"^{rows}", made, re.MULTILINE)) >= 25


def test_every_note_on_a_metric_is_on_one_that_is_there() -> None:
    assert metrics.NOTES.keys() <= metrics.metrics().keys()


def test_every_note_on_a_setting_is_on_one_that_is_there() -> None:
    fields = {name for _, kind in settings.TABLES for name in kind.model_fields}
    assert settings.NOTES.keys() | settings.COMPUTED.keys() <= fields


def test_every_variable_of_the_compose_file_has_a_default_and_a_row() -> None:
    named = re.findall(r"(?<!\$)\$\{(\w+)", read("docker-compose.yml"))
    assert len(set(named)) >= 20
    for name in named:
        assert len(rows("docs/settings.md", name)) == 1, name


def test_every_name_in_redis_has_a_row_and_every_row_a_name() -> None:
    told = {name for row in rows("docs/redis.md") for name in quoted(row[0])}
    assert told == {*keys_and_channels(), names.GROUP}


def test_the_type_of_a_name_in_redis_is_what_its_function_says() -> None:
    types = {name: row[1] for row in rows("docs/redis.md") for name in quoted(row[0])}
    for make in makers():
        for name in made_by(make):
            assert (make.__doc__ or "").lower().startswith(types[name]), name


def makers() -> Iterator[Callable[..., str]]:
    """The functions that make a key or channel."""
    for _, function in inspect.getmembers(names, inspect.isfunction):
        if function.__module__ == names.__name__ and any(NAME.fullmatch(name) for name in made_by(function)):
            yield function


def made_by(make: Callable[..., str]) -> list[str]:
    """What it makes of placeholders, for each lane if it wants one alone."""
    parameters = list(inspect.signature(make).parameters)
    lanes: list[str] = list(Lane) if parameters == ["lane"] else ["LANE"]
    return [make(*(lane if name == "lane" else PLACEHOLDERS[name] for name in parameters)) for lane in lanes]


def keys_and_channels() -> Iterator[str]:
    """Every one, placeholders for what tells two of a kind apart."""
    yield from (value for value in vars(names).values() if isinstance(value, str) and NAME.fullmatch(value))
    for make in makers():
        yield from made_by(make)
