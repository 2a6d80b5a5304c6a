"""Uploads beside the sessions, while Redis comes back older: each is answered in full, or told that it is lost."""

import json
from collections import Counter
from functools import partial

from tests.chaos.beside import Beside
from tests.chaos.processes import Processes
from tests.integration.stack import Response
from tests.integration.uploading import check, expected, lines, numbers, post, text

CLIENTS = 3
LINES = 5_000  # of an upload: about a second of work for two workers
REFUSED = {"lost", "unavailable"}  # codes of an upload that is not taken while Redis is away


class Uploads(Beside):
    """So many clients upload one list after the other, until the block is left."""

    def __init__(self, stage: Processes) -> None:
        self.ends: Counter[str] = Counter()  # "done", "lost", or the code with which it was refused
        self._stage = stage
        super().__init__(*(partial(self._upload, client) for client in range(CLIENTS)))

    def _upload(self, client: int) -> None:
        webs, seed = list(self._stage.webs.values()), client
        while not self.over.is_set():
            asked = numbers(LINES, seed)
            response = post(webs[seed % len(webs)].port, text(asked))
            seed += CLIENTS
            if response.status == 503 and code(response) == "busy":  # both places of this address are taken there
                self.over.wait(float(response.headers["Retry-After"]))
            else:
                self.ends[judge(response, asked)] += 1


def code(response: Response) -> str:
    """Why it was refused."""
    return str(json.loads(response.body)["error"]["code"])


def judge(response: Response, asked: list[str]) -> str:
    """How an upload ended. Fails where an answer is wrong, or one is missing before the end of what is done."""
    if response.status != 200:
        assert code(response) in REFUSED, response
        return code(response)
    *told, end = lines(response.body)
    if "done" in end:
        check(response.body, asked)
        return "done"
    assert end["error"]["code"] == "lost" and "line" not in end, end
    wanted = [(number, verdict) for number, line in enumerate(asked, 1) if (verdict := expected(line))]
    assert [(line["line"], line["verdict"]) for line in told] == wanted[: len(told)]
    return "lost"
