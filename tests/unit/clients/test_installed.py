"""The command `primes` verifies certificates where it is installed, from the wheels alone: no server's code, no gmpy2."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import websockets
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

ROOT = Path(__file__).parents[3]
PATIENCE = 120  # s for pip, on a busy machine; it takes some ten
CERTIFICATE = (ROOT / "tests/unit/certificates/vectors/100-digits.primo").read_text()  # of 10^99 + 289


def call(*command: str | Path, **options: object) -> str:
    """What the program prints; fails with all that it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment into which both wheels were installed, without an index."""
    folder = tmp_path_factory.mktemp("installed")
    build = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--wheel-dir", folder]
    call(sys.executable, "-m", "pip", "wheel", *build, ROOT / "certificates", ROOT / "lists", ROOT / "clients")
    call(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python: Path = folder / "venv/bin/python"
    wheels = sorted(folder.glob("*.whl"))
    assert [wheel.name.split("-")[0] for wheel in wheels] == ["primes_certificates", "primes_client", "primes_lists"]
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", *wheels)
    # What the client needs beside: pure Python, and the same that these tests run with.
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'), end='')"))
    (site / "websockets").symlink_to(Path(websockets.__file__).parent)
    return python


def test_neither_the_services_nor_gmpy2_are_there(python: Path, tmp_path: Path) -> None:
    names = ["services", "clients", "gmpy2", "primes", "certificates"]
    code = f"import importlib.util as imports; print([name for name in {names} if imports.find_spec(name)])"
    assert call(python, "-c", code, cwd=tmp_path) == "['primes', 'certificates']\n"


@contextmanager
def server(certificate: str) -> Iterator[str]:
    """The URL of one that answers every question with `prime` and this certificate, honest or not."""
    sha256 = hashlib.sha256(certificate.encode()).hexdigest()
    answer = {
        "verdict": "prime",
        "proven": True,
        "method": "ECPP",
        "queue_ms": 1,
        "compute_ms": 1,
        "evidence": {"certificate": sha256},
    }

    def tell_certificate(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(200, certificate) if request.path == f"/certificates/{sha256}" else None

    def talk(connection: ServerConnection) -> None:
        params = {"session": "token", "offset": "0", "expires_in": 600, "instance": "web0"}
        connection.send(json.dumps({"jsonrpc": "2.0", "method": "session", "params": params}))
        for message in connection:
            asked = json.loads(message)
            connection.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {**answer, "offset": "5-1"}}))

    options = {"subprotocols": ["primes.v1"], "process_request": tell_certificate, "compression": None}
    with serve(talk, "127.0.0.1", 0, **options) as listening:  # type: ignore[arg-type] # a protocol's name is a string
        thread = Thread(target=listening.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{listening.socket.getsockname()[1]}/chatsocket"
        listening.shutdown()
        thread.join(PATIENCE)


def ask(python: Path, folder: Path, certificate: str) -> tuple[int, str]:
    """The status of the command, and what it prints."""
    with server(certificate) as url:
        command = [python.with_name("primes"), "--url", url, "--proof", "10^99+289"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=folder)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_command_verifies_each_step_of_a_certificate(python: Path, tmp_path: Path) -> None:
    status, told = ask(python, tmp_path, CERTIFICATE)
    assert status == 0
    assert told.startswith("10^99+289: prime, checked: all 11 steps of its certificate hold; certificate ")


def test_the_command_refuses_a_certificate_with_a_changed_digit(python: Path, tmp_path: Path) -> None:
    status, told = ask(python, tmp_path, CERTIFICATE.replace("J=0x9", "J=0x8", 1))
    assert status == 1
    assert told.startswith("10^99+289: prime, REFUTED: its certificate does not hold: step 1 (100000000000…000000000289): [")


def test_the_verifier_is_a_command_too(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "certificate.primo"
    file.write_text(CERTIFICATE)
    for command in ([python.with_name("verify-certificate")], [python.with_name("primes"), "verify"]):
        assert "is prime: 100 digits, ECPP, 11 steps, 0." in call(*command, file, cwd=tmp_path)
