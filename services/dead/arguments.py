"""The command line: what is asked for, checked. No I/O."""

import argparse
import math
import re
from dataclasses import dataclass

from services.dead.letter import identify
from services.runtime.settings import Settings

PROGRAM = "python -m services.worker.dead"

TIMEOUT = 60.0  # seconds: more than most numbers take, and no longer than one looks at a terminal

# settings
_CONNECTION = {
    **{"redis_url": "URL", "redis_user": "USER", "redis_password_file": "FILE", "redis_timeout": "S"},
    **{"redis_ca_file": "FILE", "redis_certificate_file": "FILE", "redis_key_file": "FILE"},
    **{"sentinel_user": "USER", "sentinel_password_file": "FILE"},
}

_ABOUT = (
    "Lists, retries and deletes dead letters: jobs that ended their process several times, and entries that no worker can read."
)

_STATUS = "Status: 0 when everything was done, 1 when something was not, 2 for a command line or setting that is wrong."

_LIST = """\
examples:
  %(prog)s
  %(prog)s --limit 10
  %(prog)s --json > letters.ndjson
"""

_RETRY = """\
examples:
  %(prog)s 1795452075294-0
  %(prog)s --all --timeout 300
  %(prog)s --all --no-wait
"""

_DELETE = """\
examples:
  %(prog)s 1795452075294-0 1795452075294-1
  %(prog)s --all --yes
"""


@dataclass(frozen=True, slots=True)
class ListLetters:
    """Show letters."""

    connection: list[str]  # options for the settings
    limit: int | None = None  # letters
    json: bool = False


@dataclass(frozen=True, slots=True)
class RetryLetters:
    """Put jobs back."""

    connection: list[str]
    ids: list[str]  # none: all letters that are there when the command begins
    timeout: float | None = None  # seconds to wait for answers; None: not at all


@dataclass(frozen=True, slots=True)
class DeleteLetters:
    """Delete letters for good."""

    connection: list[str]
    ids: list[str]  # as above
    yes: bool = False  # do not ask


Request = ListLetters | RetryLetters | DeleteLetters


def parse(arguments: list[str]) -> Request:
    """Ends the program with status 2 and a sentence when they are wrong, with 0 when they ask for help."""
    parser = _parser()
    given = parser.parse_args(arguments)
    connection = [f"{_option(name)}={getattr(given, name)}" for name in _CONNECTION if getattr(given, name) is not None]
    if given.command == "list":
        return ListLetters(connection, given.limit, given.json)
    if bool(given.ids) == given.all:
        parser.error(f"{given.command}: expected ids or --all, got {'both' if given.all else 'neither'}")
    ids = list(dict.fromkeys(given.ids))
    if given.command == "retry":
        return RetryLetters(connection, ids, None if given.no_wait else given.timeout)
    return DeleteLetters(connection, ids, given.yes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=_ABOUT, epilog=_STATUS, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|retry|delete")

    def add(name: str, purpose: str, examples: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=purpose, description=purpose, epilog=f"{examples}\n{_STATUS}", allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        connection = command.add_argument_group("connection", "the settings of the worker, in whose container none has to be given")
        for field, value in _CONNECTION.items():
            connection.add_argument(_option(field), metavar=value, help=_help(field))
        return command

    show = add("list", "Show dead letters, the oldest first.", _LIST)
    show.add_argument("--limit", type=_positive, metavar="N", help="the oldest N alone")
    show.add_argument("--json", action="store_true", help="a JSON object a line, with whole numbers and reasons")

    retry = add("retry", "Put dead letters' jobs back into the queue and wait for their answers.", _RETRY)
    delete = add("delete", "Delete dead letters for good.", _DELETE)
    for command in (retry, delete):
        command.add_argument("ids", nargs="*", type=_id, metavar="ID", help="as `list` shows it")
        command.add_argument("--all", action="store_true", help="every letter that is there now")
    waiting = retry.add_mutually_exclusive_group()
    waiting.add_argument(
        "--timeout", type=_seconds, default=TIMEOUT, metavar="S", help="wait so long for all answers (default: %(default)g s)"
    )
    waiting.add_argument("--no-wait", action="store_true", help="do not wait for answers")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _help(field: str) -> str:
    return f"{Settings.model_fields[field].description} (PRIMES_{field.upper()})"


def _id(text: str) -> str:
    try:
        return identify(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return seconds
