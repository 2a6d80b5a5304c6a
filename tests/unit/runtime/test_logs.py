"""A log line says when, who, what, and the ids of what it is about."""

import json
import logging
import sys

import pytest

from services.canary.settings import CanarySettings
from services.runtime.logs import IDS, JSONLines, Lines, about, log_to_stderr, veil
from services.runtime.settings import load

TOKEN = "ryTnJTcLphSKsHj7ZPQ82g"


def record(sentence: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("services.test").makeRecord(
        "services.test", logging.WARNING, __file__, 1, sentence, arguments, None, extra=extra
    )
    made.created, made.msecs = 1_795_000_000.25, 250.0
    return made


def test_a_line_of_json_has_time_level_instance_sentence_and_ids() -> None:
    line = JSONLines("web0").format(record('says "%s"\n', 7, **about(job="web0-1/7", lane="quick", ms=1.5)))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-18T11:06:40.250Z",
        "level": "WARNING",
        "instance": "web0",
        "logger": "services.test",
        "message": 'says "7"\n',
        "job": "web0-1/7",
        "lane": "quick",
        "ms": 1.5,
    }


def test_a_stack_is_part_of_its_line() -> None:
    made = record("went wrong")
    try:
        raise ValueError("no such thing")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = JSONLines("web0").format(made)
    assert "\n" not in line
    assert json.loads(line)["stack"].endswith("ValueError: no such thing")


def test_a_line_for_people_has_its_ids_at_the_end() -> None:
    line = Lines("100%").format(record("answered", **about(request="ab12", job="web0-1/7")))
    assert line.endswith("WARNING 100% answered request=ab12 job=web0-1/7")


def test_what_is_empty_is_left_out() -> None:
    assert about(request="", session="", job="web0-1/7") == {"job": "web0-1/7"}
    assert veil("") == ""


def test_a_name_that_no_line_would_show_is_refused() -> None:
    with pytest.raises(AssertionError):
        about(number="7")
    assert "number" not in IDS


def test_a_sessions_token_is_not_told() -> None:
    assert TOKEN not in veil(TOKEN) and veil(TOKEN) == veil(TOKEN) != veil(TOKEN[::-1])


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_setting_chooses_the_form(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers.clear()
    try:
        log_to_stderr(load(CanarySettings, "test", ["--log-format", form, "--instance", "canary"]))
        logging.getLogger("services.test").info("asks")
        logging.getLogger("services.test").debug("not by default")
    finally:
        root.handlers[:], root.level = before
    (line,) = capfd.readouterr().err.splitlines()
    assert (
        (line.startswith("{") and json.loads(line)["instance"] == "canary") if form == "json" else line.endswith("INFO canary asks")
    )
