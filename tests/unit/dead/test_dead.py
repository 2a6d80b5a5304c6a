"""How dead letters are read, shown and asked again, and what the command line takes."""

import json
from dataclasses import replace

import pytest

from services.broker.finish import DeadLetter
from services.dead.arguments import PROGRAM, DeleteLetters, ListLetters, Request, RetryLetters, parse
from services.dead.letter import HEADER, Letter, show_answer, show_number, table
from services.jobs.messages import Answer, Fault, Job, Operation, Verdict, encode
from services.jobs.names import Lane
from services.runtime.settings import Settings

ID = b"1795452075294-0"  # 2026-11-23 16:41:15.294 UTC
LONG = "1234567890" * 20


def letter(
    *jobs: Job, lane: str = Lane.HEAVY, payload: bytes | None = None, reason: str = "why", worker: str = "worker0-1"
) -> Letter:
    held = encode(list(jobs)) if payload is None else payload
    fields = {b"lane": lane.encode(), b"jobs": held, b"reason": reason.encode(), b"worker": worker.encode()}
    return Letter.read(ID, fields)


def test_reads_what_workers_write() -> None:
    job = Job(7, "97", Operation.NEXT_PRIME, "token", "1", 5)
    names = (b"lane", b"jobs", b"reason", b"worker")
    written = DeadLetter(job, "why", "worker0-1").fields(Lane.QUICK)
    fields = {name: part if isinstance(part, bytes) else str(part).encode() for name, part in zip(names, written, strict=True)}
    assert Letter.read(ID, fields) == Letter("1795452075294-0", "quick", encode([job]), [job], "why", "worker0-1")


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x90", b"\x93\x01\x02\x03", encode([Job(1, "7")])[:-1], b"\xff" * 300])
def test_what_cannot_be_read_holds_no_job(payload: bytes) -> None:
    assert letter(payload=payload).jobs == []
    assert letter(payload=payload).obstacle.startswith(f"cannot be retried: expected a batch of jobs, got {len(payload)} bytes")


def test_an_entry_without_fields_is_a_letter_too() -> None:
    empty = Letter.read(ID, {})
    assert (empty.lane, empty.reason, empty.worker, empty.jobs) == ("", "", "", [])
    assert empty.obstacle and empty.row() and json.loads(empty.json())["jobs"] == []


def test_fields_that_are_no_text_are_shown_all_the_same() -> None:
    assert Letter.read(ID, {b"reason": b"a\xffb"}).reason == r"a\xffb"


def test_a_lane_that_nobody_reads_cannot_be_retried() -> None:
    assert letter(Job(1, "7"), lane="slow").obstacle == (
        "cannot be retried: expected one of the lanes " + ", ".join(Lane) + ", got 'slow'"
    )


@pytest.mark.parametrize("lane", Lane)
def test_is_tried_again_in_its_lane_but_never_in_the_workers_own_process(lane: Lane) -> None:
    again = letter(Job(1, "7"), lane=lane)
    assert again.obstacle == ""
    assert again.retry_lane is (Lane.HEAVY if lane is Lane.QUICK else lane)


def test_is_asked_again_for_nobody_and_for_ever() -> None:
    one = Job(900, "2^127-1", Operation.PREVIOUS_PRIME, "token", '"request"', 1_000, expression=True)
    assert letter(one, Job(901, "7")).again(4) == [
        Job(4, "2^127-1", Operation.PREVIOUS_PRIME, "", "", 0, expression=True),
        Job(5, "7"),
    ]


def test_a_row_tells_what_was_asked_when_and_why_it_failed() -> None:
    row = letter(Job(1, LONG, Operation.NEXT_PRIME)).row()
    number = "1234567890…1234567890 (200 digits)"
    assert row == ("1795452075294-0", "2026-11-23 16:41:15", "heavy", number, "next_prime", "why", "worker0-1")


def test_a_letter_of_any_id_is_shown() -> None:
    late = replace(letter(Job(1, "7")), id="18446744073709551615-18446744073709551615")
    assert late.row()[:2] == ("18446744073709551615-18446744073709551615", "9999-12-31 23:59:59")
    assert json.loads(late.json())["time"] == "9999-12-31T23:59:59+00:00"


def test_a_row_of_several_jobs_says_how_many() -> None:
    assert letter(Job(1, "7"), Job(2, "8"), Job(3, "9")).row()[3] == "7 and 2 more"


def test_a_row_shows_unreadable_bytes_in_hexadecimal() -> None:
    assert letter(payload=b"\xc1\x00").row()[3:5] == ("unreadable: 2 bytes c100", "")
    assert letter(payload=bytes(range(250))).row()[3] == "unreadable: 250 bytes 0001020304…f5f6f7f8f9"
    assert letter(payload=b"").row()[3] == "unreadable: 0 bytes"


def test_a_long_reason_is_cut_in_the_table_alone() -> None:
    long = letter(Job(1, "7"), reason="r" * 200)
    assert long.row()[5] == "r" * 59 + "…"
    assert json.loads(long.json())["reason"] == "r" * 200


def test_a_row_commands_no_terminal() -> None:
    hostile = "\x1b[2J\r\n\x07\u202e"
    row = letter(Job(1, hostile), lane=hostile, reason=hostile, worker=hostile).row()
    assert all(cell.isprintable() for cell in row)


def test_json_has_the_whole_number_and_no_session() -> None:
    record = json.loads(letter(Job(1, LONG, Operation.NEXT_PRIME, "token", "request", 5)).json())
    assert record == {
        "id": "1795452075294-0",
        "time": "2026-11-23T16:41:15.294000+00:00",
        "lane": "heavy",
        "reason": "why",
        "worker": "worker0-1",
        "jobs": [{"number": LONG, "operation": "next_prime", "expression": False}],
    }


def test_json_has_all_of_what_cannot_be_read() -> None:
    record = json.loads(letter(payload=b"\xc1" * 300).json())
    assert (record["jobs"], record["payload"]) == ([], "c1" * 300)


def test_a_table_has_its_cells_under_one_another() -> None:
    rows = [letter(Job(1, number), reason=reason).row() for number, reason in (("7", "a long reason"), (LONG, "short"))]
    lines = list(table(rows))
    assert len(lines) == 3 and lines[0].split()[0] == "id"
    assert len({line.index(cell) for line, cell in zip(lines, (HEADER[6], "worker0-1", "worker0-1"), strict=True)}) == 1


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        (Job(1, "-12"), "-12"),
        (Job(1, "9" * 21), "9" * 21),
        (Job(1, "-" + LONG), "-123456789…1234567890 (200 digits)"),
        (Job(1, "2^127-1", expression=True), "2^127-1"),
        (Job(1, "+".join("1" * 30), expression=True), "1+1+1+1+1+…+1+1+1+1+1"),
    ],
)
def test_a_number_keeps_its_ends(job: Job, shown: str) -> None:
    assert show_number(job) == shown


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Answer(1, Verdict.PRIME, "BPSW", compute_us=1_500), "prime (BPSW), computed in 0.002 s"),
        (Answer(1, Verdict.PRIME, "BPSW", number="101"), "101 is prime (BPSW), computed in 0.000 s"),
        (
            Answer(1, Verdict.UNKNOWN, fault=Fault.POISON),
            "failed, poison: The job ended the process that ran it, several times, and was set aside",
        ),
        (
            Answer(1, Verdict.UNKNOWN, "BPSW", fault=Fault.DEADLINE, best=Verdict.PROBABLY_PRIME),
            "failed, deadline: The job took longer than the server, or its own request, allows; until then: probably_prime (BPSW)",
        ),
    ],
)
def test_an_answer_tells_verdict_and_method_or_the_fault(answer: Answer, shown: str) -> None:
    assert show_answer(answer) == shown


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_told(fault: Fault) -> None:
    assert show_answer(Answer(1, Verdict.UNKNOWN, fault=fault)).startswith(f"failed, {fault}: ")


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("list", ListLetters([])),
        ("list --json --limit 5", ListLetters([], limit=5, json=True)),
        ("retry 1-0", RetryLetters([], ["1-0"], timeout=60)),
        ("retry 1-0 2-1 1-0 01-00 --timeout 0.5", RetryLetters([], ["1-0", "2-1"], timeout=0.5)),
        ("retry --all --no-wait", RetryLetters([], [])),
        ("delete 1-0 --yes", DeleteLetters([], ["1-0"], yes=True)),
        ("delete --all", DeleteLetters([], [])),
        ("list --redis-url unix:///a --redis-user b", ListLetters(["--redis-url=unix:///a", "--redis-user=b"])),
        ("list --redis-timeout 1", ListLetters(["--redis-timeout=1"])),
    ],
)
def test_takes(line: str, request_: Request) -> None:
    assert parse(line.split()) == request_


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "the following arguments are required: list|retry|delete"),
        ("lst", "invalid choice: 'lst'"),
        ("list 1-0", "unrecognized arguments: 1-0"),
        ("list --limit 0", "expected a whole number from 1 on, got '0'"),
        ("list --limit -1", "expected a whole number from 1 on, got '-1'"),
        ("retry", "retry: expected ids or --all, got neither"),
        ("delete 1-0 --all", "delete: expected ids or --all, got both"),
        ("retry 1795452075294", "expected an id such as 1795452075294-0, got '1795452075294'"),
        ("delete 18446744073709551616-0", "expected an id such as 1795452075294-0, got '18446744073709551616-0'"),
        ("retry --all --timeout 0", "expected seconds above 0, got '0'"),
        ("retry --all --timeout nan", "expected seconds above 0, got 'nan'"),
        ("retry --all --timeout inf", "expected seconds above 0, got 'inf'"),
        ("retry --all --timeout soon", "expected seconds above 0, got 'soon'"),
        ("retry --all --timeout 5 --no-wait", "not allowed with argument --timeout"),
        ("retry --al", "unrecognized arguments: --al"),
    ],
)
def test_refuses(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(line.split())
    assert end.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("command", "kind"), [("list", ListLetters), ("retry", RetryLetters), ("delete", DeleteLetters)])
def test_help_has_examples_that_are_taken_and_tells_the_settings(
    command: str, kind: type[Request], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse([command, "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    for field in ("redis_url", "redis_user", "redis_password_file", "redis_timeout", "redis_ca_file", "sentinel_user"):
        assert f"PRIMES_{field.upper()}" in said and str(Settings.model_fields[field].description)[:20] in " ".join(said.split())
    examples = [line.split(" > ")[0] for line in said.partition("examples:")[2].splitlines() if PROGRAM in line]
    assert len(examples) >= 2
    for example in examples:
        assert isinstance(parse(example.replace(PROGRAM, "").split()), kind)
