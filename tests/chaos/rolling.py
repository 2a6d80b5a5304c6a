"""The stack as processes, rolled from one version to another as `make deploy` does it; and the work beside the sessions."""

import http.client
import json
import random
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gmpy2
from redis.exceptions import AuthenticationError

from tests.chaos.beside import Beside
from tests.chaos.processes import Processes
from tests.integration.processes import ROOT
from tests.integration.stack import Response, Service, get
from tests.integration.uploading import check, numbers, post, text
from tests.integration.waiting import wait_until

FORMER_RELEASE = (Path(__file__).parent / "former_release").read_text().strip()  # a commit: the version to roll from

LINES = 5_000  # of an upload: about a second of work for two workers
DIGITS = 60  # of a prime that is proven: tens of milliseconds
PATIENCE = 60  # seconds until an upload or a proof counts as lost


def is_there(commit: str) -> bool:
    """Whether git has it: a shallow clone, or a tree without git, does not."""
    try:
        return (
            subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, check=False).returncode
            == 0
        )
    except FileNotFoundError:
        return False


def check_out(commit: str, directory: Path) -> Path:
    """The files of a commit."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    directory.mkdir()
    subprocess.run(["tar", "--extract", "--directory", directory], input=archive.stdout, check=True)
    return directory


class Rolling(Processes):
    """Each process can be replaced by one of another version, while the others work."""

    def roll(self, code: Path, *, web_first: bool = False) -> None:
        """The steps of `make deploy`, in its order."""
        self.stack.code = code
        steps = [(self.replace_worker, (*self.workers,)), (self.replace_web, (*self.webs,))]
        for replace, names in reversed(steps) if web_first else steps:
            for name in names:
                replace(name)

    def bring_users(self, code: Path, *options: str) -> None:
        """Redis reads the users of this version; one whose users are of a version before it could is restarted."""
        redis = self.stack.redis
        redis.make_users(code, *options)
        try:
            with redis.client("redis") as client:
                client.acl_load()
        except AuthenticationError:
            redis.stop()
            redis.start()

    def replace_web(self, name: str) -> None:
        """Its clients go to the others while it drains."""
        self._end(self.webs[name])
        self.start(name)
        self.stack.wait_ready(self.webs[name])

    def replace_worker(self, name: str) -> None:
        """Its successor is there before it goes."""
        old = self.workers[name]
        self.start(name)
        self.stack.wait_ready(self.workers[name])
        self._end(old)

    def port(self) -> int:
        """Of any web process that runs."""
        return self._chance.choice([web.port for web in self.webs.values() if web.running])

    def _end(self, service: Service) -> None:
        service.send(signal.SIGTERM)
        assert service.wait() == 0, service.tail()
        self.stack.end(service)


class Work(Beside):
    """Uploads and proofs, one after the other each, until the block is left; a client asks again what had no answer."""

    def __init__(self, stage: Rolling) -> None:
        self.uploads = self.proofs = 0  # answered, each in full and rightly
        self._stage = stage
        super().__init__(self._upload, self._prove)

    def _upload(self) -> None:
        while not self.over.is_set():
            asked = numbers(LINES, self.uploads)
            key = {"Idempotency-Key": f"upload-{self.uploads}"}
            check(self._insist(lambda: post(self._stage.port(), text(asked), key)), asked)  # noqa: B023  # called in this very turn
            self.uploads += 1

    def _prove(self) -> None:
        chance = random.Random(2)
        while not self.over.is_set():
            number = gmpy2.next_prime(chance.randrange(10 ** (DIGITS - 1), 10**DIGITS))
            answer = json.loads(self._insist(lambda: get(self._stage.port(), f"/primes/{number}?proof=true")))  # noqa: B023
            assert (answer["verdict"], answer["proven"]) == ("prime", True), answer
            self.proofs += 1

    def _insist(self, ask: Callable[[], Response]) -> bytes:
        """The body of the first answer that comes whole; each try is told to whatever web process runs."""
        whole: list[bytes] = []

        def try_it() -> bool:
            with suppress(http.client.HTTPException, ConnectionError):
                response = ask()
                assert response.status in {200, 409, 502, 503, 504}, response
                if response.status == 200:
                    whole.append(response.body)
            return bool(whole)

        wait_until(try_it, "an answer comes whole", PATIENCE)
        return whole[0]
