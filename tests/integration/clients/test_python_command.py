"""The command `primes` on real web processes and workers: what it prints, its statuses, and that an interrupted run goes on."""

import asyncio
import contextlib
import hashlib
import http.server
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gmpy2
import pytest

from clients.primes import Client, PrimesError
from tests.integration.conftest import Whole
from tests.integration.faulty_network import FaultyNetwork
from tests.integration.plain_clients import SEMIPRIME
from tests.integration.processes import ROOT, killed_at_last
from tests.integration.waiting import eventually, wait_until
from tests.ports import free_port

MANY = 3_000  # numbers: far more than the command holds and a pipe takes
LARGE = "10^30+57"  # a prime above those that strong tests decide


def start(url: str, *arguments: str, stdin: int | Any = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "clients.primes", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PRIMES_URL": url}, text=True,
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(url: str, *arguments: str, lines: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    process = start(url, *arguments)
    out, err = process.communicate("".join(f"{line}\n" for line in lines), timeout=90)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_tells_the_verdict_and_what_was_checked_here(whole: Whole) -> None:
    done = run(whole.webs[0].url, "--proof", "--in-order", "97", "91", "2^127-1", "-1", str(gmpy2.next_prime(10**20) ** 2))
    assert (done.returncode, done.stderr) == (0, "")
    patterns = [
        r"97: prime, checked: it passes 13 strong tests, which decide numbers of its size",
        r"91: composite, checked: (7|13) divides it",
        r"2\^127-1: prime, checked: (its certificate holds|all \d+ steps of its certificate hold); certificate [0-9a-f]+…"
        r"; it is 170141183460469231731687303715884105727 \(39 digits\)",
        r"-1: neither prime nor composite, checked: it is below 2",
        r"\d{41}: composite, checked: it fails the strong test to the base \d+, as no prime does",
    ]
    for line, pattern in zip(done.stdout.splitlines(), patterns, strict=True):
        assert re.fullmatch(pattern, line), line


def test_neighbours_are_found_and_checked(whole: Whole) -> None:
    url = whole.webs[0].url
    assert run(url, "--next", "10^12").stdout == "10^12: next prime 1000000000039, checked: it is prime, and no number between is\n"
    assert run(url, "--previous", "2").stdout == "2: no previous prime, checked: no prime is below 2\n"
    (told,) = objects(run(url, "--next", "--json", "10^12").stdout)
    assert (told["number"], told["next"], told["verdict"], told["check"]) == ("10^12", "1000000000039", "prime", "shown")


def test_numbers_are_taken_apart_and_the_factors_checked(whole: Whole) -> None:
    url, right = whole.webs[0].url, "the product of its factors is right, and each is what it is called"
    assert run(url, "--factor", "360").stdout == f"360: 2^3 * 3^2 * 5, checked: {right}\n"
    assert run(url, "--factor", "2^67-1").stdout == f"2^67-1: 193707721 * 761838257287, checked: {right}\n"
    assert run(url, "--factor", "1").stdout == f"1: no factors, checked: {right}\n"
    (told,) = objects(run(url, "--factor", "--json", "91").stdout)
    assert ([one["factor"] for one in told["factors"]], told["complete"], told["check"]) == (["7", "13"], True, "shown")


def test_factors_that_were_found_before_the_deadline_are_told(whole: Whole) -> None:
    number, left = f"37^2*{SEMIPRIME}", f"({SEMIPRIME[:19]}…"
    line = run(whole.webs[0].url, "--factor", "--deadline", "8", number).stdout
    assert "no answer, deadline: " in line and f"(so far: 37^2 * {left}" in line
    (told,) = objects(run(whole.webs[0].url, "--json", "--factor", "--deadline", "8", number).stdout)
    assert (told["error"]["best"], told["error"]["complete"]) == ("composite", False)
    assert [(one["factor"], one["multiplicity"]) for one in told["error"]["factors"]] == [("37", 2)]


def test_an_object_a_line_in_order_from_arguments_a_file_and_standard_input(whole: Whole, tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_text("# primes and others\n11\n\n 3#+1 \r\n15")
    done = run(whole.webs[1].url, "--json", "--in-order", "--file", str(file), "2", "-", lines=["4", "", "# 5", "6"])
    told = objects(done.stdout)
    assert [one["number"] for one in told] == ["2", "4", "6", "11", "3#+1", "15"]
    assert [one["position"] for one in told] == [1, 2, 3, 4, 5, 6]
    assert [(one.get("digits"), one.get("value")) for one in told if one["number"] in ("11", "3#+1")] == [(None, None), (1, "7")]
    assert [one["verdict"] for one in told] == ["prime", "composite", "composite", "prime", "prime", "composite"]
    assert {one["check"] for one in told} == {"shown"} and {one["instance"] for one in told} == {"web1"}


def test_what_fails_is_told_with_the_answers_and_the_status_is_1(whole: Whole) -> None:
    done = run(whole.webs[0].url, "--in-order", "seven", "97")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first.startswith("seven: no answer, not_an_integer: Expected an integer such as 97 or an expression such as 2^127-1")
    assert "97: prime" in second
    (told,) = objects(run(whole.webs[0].url, "--json", "7/2").stdout)
    assert (told["number"], told["error"]["code"]) == ("7/2", "no_integer")


def test_bytes_that_are_no_utf8_cost_their_own_line_alone(whole: Whole, tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_bytes(b"\xef\xbb\xbf97\n\n# \xff\n7\xff\xe9\n91\n\xef\xbb\xbf5\n\xc3")
    done = run(whole.webs[0].url, "--json", "--in-order", "--file", str(file), os.fsdecode(b"\xfe"))
    assert (done.returncode, done.stderr) == (1, "")
    first, *told = objects(done.stdout)
    assert first["error"] == {"code": "not_utf8", "message": "argument 1: expected UTF-8, got the byte 0xfe"}
    assert [one["number"] for one in told] == ["97", r"7\xff\xe9", "91", "\ufeff5", r"\xc3"]
    assert [one.get("verdict") or one["error"]["code"] for one in told] == [
        "prime",
        "not_utf8",
        "composite",
        "not_an_integer",
        "not_utf8",
    ]
    messages = [one["error"]["message"] for one in told if one.get("error", {}).get("code") == "not_utf8"]
    assert messages == [f"{file}, line {line}: expected UTF-8, got the byte 0x{byte}" for line, byte in ((4, "ff"), (7, "c3"))]
    with file.open("rb") as lines:
        command = [sys.executable, "-m", "clients.primes", "--in-order", "--url", whole.webs[0].url]
        piped = subprocess.run(command, cwd=ROOT, stdin=lines, capture_output=True, check=False, timeout=60)
    assert piped.returncode == 1 and b"97: prime" in piped.stdout
    assert rb"7\xff\xe9: no answer, not_utf8: standard input, line 4: expected UTF-8, got the byte 0xff" in piped.stdout


def test_what_would_do_something_to_a_terminal_is_printed_escaped(whole: Whole) -> None:
    strange = "7\x1b[31m\x07\x7f\x9b\u202e"
    done = run(whole.webs[0].url, strange)
    assert done.stdout.startswith(r"7\x1b[31m\x07\x7f\x9b\u202e: no answer, not_an_integer: ")
    assert done.stdout.removesuffix("\n").isprintable()
    line = run(whole.webs[0].url, "--json", strange).stdout.removesuffix("\n")
    assert line.isprintable() and json.loads(line)["number"] == strange


def test_a_terminal_that_has_not_all_characters_gets_escapes(whole: Whole) -> None:
    command = [sys.executable, "-m", "clients.primes", "--url", whole.webs[0].url, "\u0667", "9" * 100]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u0667: prime" in done.stdout and rb"9\u20269" in done.stdout


def test_a_deadline_that_is_over_is_told(whole: Whole) -> None:
    done = run(whole.webs[0].url, "--json", "--deadline", "0.5", "2^30011-1")
    assert done.returncode == 1
    (told,) = objects(done.stdout)
    assert told["error"]["code"] == "deadline"


def test_certificates_are_fetched_checked_and_saved(whole: Whole, tmp_path: Path) -> None:
    url = whole.webs[0].url
    done = run(url, "--json", "--save-certificates", str(tmp_path), LARGE, "10^40+121")
    assert done.returncode == 0, done.stdout + done.stderr
    told = {one["number"]: one for one in objects(done.stdout)}
    for one in told.values():
        sha256 = one["evidence"]["certificate"]
        text = Path(one["file"]).read_bytes()
        assert hashlib.sha256(text).hexdigest() == sha256 and Path(one["file"]).stem == sha256[:16]
        assert (one["verdict"], one["check"]) == ("prime", "shown") and "certificate hold" in one["why"]
    assert {path.suffix for path in tmp_path.iterdir()} <= {".primo", ".pari"}
    line = run(url, "--proof", LARGE).stdout
    ends = r"; certificate [0-9a-f]{16}…; it is 10{28}57 \(31 digits\)\n"
    assert re.fullmatch(r"10\^30\+57: prime, checked: .*certificate.*" + ends, line), line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--url", "http://localhost/", "97"], "--url (PRIMES_URL): expected ws://HOST/chatsocket, got 'http://localhost/'"),
        (["--window", "500", "97"], "expected a whole number from 1 to 200, got '500'"),
        (["--deadline", "0", "97"], "--deadline: expected seconds above 0 and up to 3,600, got '0'"),
        (["--deadline", "3601", "97"], "--deadline: expected seconds above 0 and up to 3,600, got '3601'"),
        (["--deadline", "-5", "97"], "--deadline: expected seconds above 0 and up to 3,600, got '-5'"),
        (["--deadline", "-inf", "97"], "--deadline: expected seconds above 0 and up to 3,600, got '-inf'"),
        (["--deadline", "nan", "97"], "--deadline: expected seconds above 0 and up to 3,600, got 'nan'"),
        (["--deadline", "soon\x1b[1m", "97"], "--deadline: expected seconds above 0 and up to 3,600, got 'soon\\x1b[1m'"),
        (["--give-up-after", "inf", "97"], "--give-up-after: expected a finite number of seconds above 0, got 'inf'"),
        (["--give-up-after", "-1e3", "97"], "--give-up-after: expected a finite number of seconds above 0, got '-1e3'"),
        (["--bold\x1b[1m", "97"], "unrecognized arguments: --bold\\x1b[1m"),
        (["--file", "no\x1b[1m"], "no\\x1b[1m: No such file or directory"),
        (["--file", "no/such/file"], "no/such/file: No such file or directory"),
        (["--save-certificates", "no/such/folder", "97"], "--save-certificates: expected a folder, got 'no/such/folder'"),
        (["--resume", "README.md", "97"], "README.md: expected a file that --resume made, got something else"),
        (["--next", "--previous", "97"], "not allowed with argument"),
        (["--factor", "--proof", "97"], "--factor: expected it without --proof"),
        (["--url", "ws://[::1", "97"], "--url (PRIMES_URL): expected ws://HOST/chatsocket, got 'ws://[::1'"),
        (["--url", "ws://here:99999/", "97"], "--url (PRIMES_URL): expected ws://HOST/chatsocket, got 'ws://here:99999/'"),
    ],
)
def test_what_is_wrong_is_named_and_the_status_is_2(whole: Whole, arguments: list[str], words: str) -> None:
    done = run(whole.webs[0].url, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("streams", "status", "out", "err"),
    [
        (">&-", 1, "", "primes: standard output is closed\n"),
        (">/dev/full", 1, "", "primes: standard output: No space left on device\n"),
        ("2>&-", 0, "97: prime, checked", ""),
        ("<&-", 0, "97: prime, checked", ""),
    ],
)
def test_streams_that_are_closed_or_full_are_told_of(whole: Whole, streams: str, status: int, out: str, err: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "clients.primes", "--url", whole.webs[0].url, "97"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, err)
    assert done.stdout.startswith(out) and bool(done.stdout) == bool(out)


def test_without_numbers_or_standard_input_the_status_is_2() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "clients.primes"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "") and "expected numbers: as arguments" in done.stderr


class Proxy(http.server.BaseHTTPRequestHandler):
    """Reaches no server at first, and lets nobody in afterwards."""

    asked = 0

    def do_CONNECT(self) -> None:
        type(self).asked += 1
        self.send_error(503 if self.asked < 3 else 403)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_a_proxy_that_reaches_no_server_now_is_asked_again_and_one_that_refuses_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        done = run("ws://primes.example/chatsocket", "97")
        proxy.shutdown()
    assert done.returncode == 1
    first, second, last = done.stderr.splitlines()
    assert "HTTP status 503 of the proxy; attempt 1 failed" in first and "attempt 2 failed" in second
    assert last == ("primes: ws://primes.example/chatsocket: expected a WebSocket of primes.v1, got HTTP status 403 of the proxy")


@pytest.mark.parametrize("proxy", ["strange://localhost", "http://"])
def test_a_proxy_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    done = run("ws://primes.example/chatsocket", "97")
    assert done.returncode == 1
    assert done.stderr.startswith(f"primes: ws://primes.example/chatsocket: {proxy} isn't a valid proxy")
    assert len(done.stderr.splitlines()) == 1


def test_a_checkpoint_that_cannot_be_kept_is_told_of_and_the_former_one_stays(whole: Whole, tmp_path: Path) -> None:
    url, state = whole.webs[0].url, tmp_path / "state"
    assert run(url, "--resume", str(state), "97").returncode == 0
    kept = state.read_bytes()
    command = [sys.executable, "-m", "clients.primes", "--url", url, "--resume", str(state), "97", "91"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command],  # as on a full disk
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout.startswith("91: composite")
    assert set(done.stderr.splitlines()) == {f"primes: {state}: File too large"}
    assert state.read_bytes() == kept and os.listdir(tmp_path) == ["state"]


def test_a_certificate_that_cannot_be_saved_is_checked_all_the_same_and_leaves_no_part(whole: Whole, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "clients.primes", "--url", whole.webs[0].url, "--save-certificates", str(tmp_path), LARGE]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command],  # as on a full disk
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, f"primes: {tmp_path}: File too large\n")
    assert re.match(r"10\^30\+57: prime, checked: .*its certificate holds?; certificate [0-9a-f]{16}…", done.stdout), done.stdout
    assert os.listdir(tmp_path) == []


def test_gives_up_a_server_that_cannot_be_reached_and_says_what_was_tried() -> None:
    url = f"ws://127.0.0.1:{free_port()}/chatsocket"
    done = run(url, "--give-up-after", "3", "97")
    *tries, last = done.stderr.splitlines()
    assert done.returncode == 1 and tries
    assert re.fullmatch(rf"primes: {url}: Connection refused; attempt 1 failed, the next in \d\.\d s", tries[0])
    told = re.fullmatch(rf"primes: {url}: tried {len(tries) + 1} times in (\d+\.\d) s, the last time: Connection refused", last)
    assert told and float(told[1]) >= 3


def test_a_terminal_shows_how_far_it_is_and_what_takes_longest(whole: Whole) -> None:
    ours, theirs = pty.openpty()
    with killed_at_last(subprocess.Popen(
        [sys.executable, "-m", "clients.primes", "--url", whole.webs[0].url, "--deadline", "6", "2^30011-1", "97", "91"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, stderr=theirs,
    )) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := os.read(ours, 4_096):
                seen += data
        assert process.wait(30) == 1
    os.close(ours)
    assert re.search(rb"\[#{16}\.{8}\] 2/3  \d+/s  2\^30011-1: \d s", seen), seen
    assert seen.endswith(b"\r\x1b[K"), seen  # nothing is left of it


def test_a_place_that_speaks_no_primes_v1_is_left_at_once(whole: Whole) -> None:
    done = run(whole.webs[0].url.replace("chatsocket", "healthz"), "97")
    assert done.returncode == 1
    assert "expected a WebSocket of primes.v1, got HTTP status" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_enough_ends_the_command(whole: Whole) -> None:
    process = start(whole.webs[0].url, "--json")
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write("97\n" * MANY)
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == ""
    process.stdin.close()
    process.stderr.close()


def interrupt(process: subprocess.Popen[str], after: int) -> list[str]:
    """Ctrl-C after so many lines; all lines that it printed."""
    assert process.stdout
    first = [process.stdout.readline() for _ in range(after)]
    process.send_signal(signal.SIGINT)
    rest = process.stdout.readlines()
    return first + rest


@pytest.mark.parametrize("order", [[], ["--in-order"]], ids=["as they come", "in order"])
def test_a_run_that_is_interrupted_goes_on_where_it_was(whole: Whole, tmp_path: Path, order: list[str]) -> None:
    chance = random.Random(8)
    asked = [str(chance.randrange(10 ** chance.randint(1, 30))) for _ in range(MANY)]
    asked[50:54] = [gmpy2.next_prime(gmpy2.mpz(10) ** 700 + chance.getrandbits(64)).digits() for _ in range(4)]
    file, state = tmp_path / "numbers.txt", tmp_path / "state"
    file.write_text("\n".join(asked))
    arguments = ["--json", "--file", str(file), "--resume", str(state), "--window", "40", *order]
    lines: list[str] = []
    with FaultyNetwork([web.port for web in whole.webs], seed=3) as network:
        for after in (20, 200):
            with killed_at_last(start(network.url, *arguments)) as process:
                lines += interrupt(process, after)
                assert process.wait(30) == 130
                assert process.stderr is not None
                *tries, last = process.stderr.read().splitlines()
                assert re.fullmatch(rf"primes: stopped after [\d,]+ answers; the same command with --resume {state} goes on", last)
                assert all("failed, the next in" in line for line in tries)
            assert len(lines) < MANY
        assert state.stat().st_mode & 0o077 == 0  # a reader of it has the session
    done = run(whole.webs[0].url, *arguments)
    assert done.returncode == 0, done.stderr
    told = objects("".join(lines) + done.stdout)
    assert Counter(one["position"] for one in told) == Counter(range(1, MANY + 1))
    assert all(one["number"] == asked[one["position"] - 1] for one in told)
    assert all((one["verdict"] in ("prime", "probably_prime")) == gmpy2.is_prime(gmpy2.mpz(one["number"])) for one in told)
    assert not order or [one["position"] for one in told] == list(range(1, MANY + 1))
    again = run(whole.webs[0].url, *arguments)
    assert (again.returncode, again.stdout) == (0, "")
    assert f"all {MANY:,} answers were printed before; delete {state}" in again.stderr


def test_after_a_killed_run_another_number_in_a_questions_place_is_another_question(whole: Whole, tmp_path: Path) -> None:
    web, state = whole.webs[0], tmp_path / "state"
    arguments = ["--resume", str(state), "--deadline", "8"]  # the number that nobody waits for must not be computed for long
    wait_until(lambda: web.pending == 0, "nothing is left of the tests before")
    with killed_at_last(start(web.url, *arguments)) as process:
        wait_until(lambda: state.exists() and state.stat().st_size > 0, "the session is kept")
        kept = state.read_bytes()
        assert process.stdin
        process.stdin.write("2^30011-1\n")
        process.stdin.flush()
        wait_until(lambda: web.pending == 1, "the number is asked")
        process.kill()
        process.wait(10)
        assert state.read_bytes() == kept  # it knows nothing of that question
    assert run(web.url, *arguments, lines=["97"]).stdout.startswith("97: prime, checked")
    wait_until(lambda: web.pending == 0, "the former number's time is over")


def test_a_state_file_of_other_numbers_is_refused_and_left_as_it_is(whole: Whole, tmp_path: Path) -> None:
    url, state = whole.webs[0].url, tmp_path / "state"
    assert run(url, "--resume", str(state), "97", "seven").returncode == 1
    kept = state.read_bytes()
    for numbers, words in (
        (["97", "8"], "it belongs to other numbers"),
        (["97"], "got fewer"),
        (["--next", "97", "seven"], "options"),
    ):
        done = run(url, "--resume", str(state), *numbers)
        assert (done.returncode, done.stdout) == (2, "") and words in done.stderr, done.stderr
    assert state.read_bytes() == kept
    assert run(url, "--resume", str(state), "97", "seven").returncode == 1  # what failed before is not forgotten
    assert "11: prime" in run(url, "--resume", str(state), "97", "seven", "11").stdout


def test_ctrl_c_ends_a_command_that_waits_for_numbers(whole: Whole) -> None:
    with killed_at_last(start(whole.webs[0].url)) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write("97\n")
        process.stdin.flush()
        assert "97: prime" in process.stdout.readline()  # before the next is typed
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == "primes: stopped after 1 answer; the rest is cancelled\n"


def test_the_module_asks_many_at_once_and_a_cancelled_task_cancels_its_computation(whole: Whole) -> None:
    web = whole.webs[0]

    async def scenario() -> None:
        async with Client(web.url) as client:
            answers = await asyncio.gather(*(client.ask(number) for number in (97, "91", 10**5_000)))
            assert [answer.verdict for answer in answers] == ["prime", "composite", "composite"]
            assert (await client.next(90)).number == "97" and (await client.previous("2")).number is None
            with pytest.raises(PrimesError) as caught:
                await client.ask("seven")
            assert caught.value.code == "not_an_integer"
            slow = asyncio.create_task(client.ask("2^30011-1"))
            await eventually(lambda: web.pending == 1, "the number is asked")
            slow.cancel()
            await eventually(lambda: web.pending == 0, "the job is cancelled")
            waiting = asyncio.create_task(client.ask("97"))
            await asyncio.sleep(0)  # it is asked; no answer can be there yet
        with pytest.raises(PrimesError, match="The client is closed"):
            await waiting

    asyncio.run(scenario())


def test_without_a_state_file_ctrl_c_cancels_what_the_server_computes(whole: Whole) -> None:
    def cancelled() -> float:
        return sum(web.metric("primes_web_jobs_answered_total", verdict="cancelled") for web in whole.webs)

    web = whole.webs[0]
    wait_until(lambda: web.pending == 0, "nothing is left of the tests before")
    before = cancelled()
    with killed_at_last(start(web.url, "2^30011-1")) as process:
        wait_until(lambda: web.pending > 0, "the number is asked")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert process.stderr.read() == "primes: stopped after 0 answers; the rest is cancelled\n"
    wait_until(lambda: web.pending == 0, "the job is cancelled")
    assert cancelled() == before + 1
