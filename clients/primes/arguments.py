"""The command line: what is asked for, checked. No I/O."""

import argparse
import math
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from .client import URL, check_url
from .conversation import WINDOW
from .lines import printable
from .questions import STDIN
from .requests import LONGEST_DEADLINE, Operation

VERIFY = "verify"  # in place of numbers: what follows are files with certificates

_AMOUNTS = ("--deadline", "--give-up-after", "--window")  # options whose value may begin with a minus sign, and is refused then

_ABOUT = "Tells of integers and expressions such as 2^127-1 whether they are prime, and checks the answers' evidence here."

_EPILOG = """\
examples:
  %(prog)s 97 '2^127-1'
  %(prog)s --proof --save-certificates . '10^99+289'
  %(prog)s --next 10^100
  %(prog)s --file numbers.txt --json --in-order > answers.ndjson
  %(prog)s --file numbers.txt --resume run.state     # Ctrl-C; the same again goes on
  seq 1000 | %(prog)s --json
  %(prog)s verify certificate.primo                  # no server is asked: %(prog)s verify --help
  %(prog)s -- '-2^7+131'                              # after --, a minus sign begins no option

Files are read as the server reads uploads: lists, b-files, ABC files, vectors, logs, CSV with a column `number`, also as .gz.

Status: 0 when all is answered, 1 when something is not or its evidence does not hold, 2 for a wrong command line, file or
state file, 130 after Ctrl-C.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    numbers: tuple[str, ...]  # `-`: the lines of standard input
    file: str | None
    operation: Operation
    options: Mapping[str, Any]  # of each question, as in the protocol
    certificates: Path | None  # folder to save them in
    check: bool
    json: bool
    in_order: bool
    url: str
    tls: ssl.SSLContext | None  # whom wss:// trusts; the system's authorities unless given
    give_up_after: float | None
    state: Path | None
    window: int


def parse(arguments: Sequence[str], environment: Mapping[str, str], terminal: bool) -> Request:
    """Ends the program with status 2 and a sentence when they are wrong, with 0 when they ask for help.

    `terminal`: whether standard input is one; from what is none numbers are read when none are given.
    """
    parser = _parser(environment)
    given = parser.parse_intermixed_args(list(_join(arguments)))
    numbers = [number.strip() or number for number in given.numbers]
    if not numbers and given.file is None:
        if terminal:
            parser.error("expected numbers: as arguments, with --file FILE or on standard input")
        numbers = [STDIN]
    if [*numbers, given.file].count(STDIN) > 1:
        parser.error("expected standard input (-) once")
    secure = False
    try:
        secure = check_url(given.url)
    except ValueError as error:
        parser.error(f"--url (PRIMES_URL): {error}")
    tls = None
    if given.ca is not None:
        if not secure:
            parser.error(f"--ca: expected --url wss://HOST/chatsocket to go with it, got {given.url!r}")
        try:
            tls = ssl.create_default_context(cafile=given.ca)
        except OSError as error:  # SSLError, too
            parser.error(f"--ca: expected a readable file of certificates (PEM), got {given.ca!r}: {error.strerror or error}")
    if given.save_certificates is not None and not given.save_certificates.is_dir():
        parser.error(f"--save-certificates: expected a folder, got {str(given.save_certificates)!r}")
    proof = given.proof or (given.save_certificates is not None and not given.certificate)
    if given.operation is Operation.FACTOR and (proof or given.certificate):
        parser.error(
            "--factor: expected it without --proof, --certificate and --save-certificates, since nothing is proven of factors"
        )
    options = {"proof": proof, "certificate": given.certificate, "deadline": given.deadline}
    return Request(
        numbers=tuple(numbers),
        file=given.file,
        operation=given.operation,
        options={name: value for name, value in options.items() if value},
        certificates=given.save_certificates,
        check=not given.no_check,
        json=given.json,
        in_order=given.in_order,
        url=given.url,
        tls=tls,
        give_up_after=given.give_up_after,
        state=given.resume,
        window=given.window,
    )


class _Parser(argparse.ArgumentParser):
    """Repeats nothing on a terminal that would do something there."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _join(arguments: Sequence[str]) -> Iterator[str]:
    """With `--deadline=-inf` for `--deadline -inf`: to argparse the latter has no value, and it could not name what came."""
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":  # what comes now are numbers
            yield argument
            yield from waiting
            return
        value = next(waiting, None) if argument in _AMOUNTS else None
        if value is not None and value.startswith("-") and not value.startswith("--"):
            yield f"{argument}={value}"
        else:
            yield from (argument,) if value is None else (argument, value)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="primes", description=_ABOUT, epilog=_EPILOG, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "numbers", nargs="*", metavar="NUMBER", help="an integer or an expression; - for the lines of standard input"
    )
    parser.add_argument("--file", metavar="FILE", help="numbers, one a line; - for standard input")

    asking = parser.add_argument_group("what is asked")
    neighbours = asking.add_mutually_exclusive_group()
    for operation, purpose in ((Operation.NEXT, "the least prime above"), (Operation.PREVIOUS, "the greatest prime below")):
        name = f"--{operation.removesuffix('_prime')}"
        neighbours.add_argument(name, dest="operation", action="store_const", const=operation, help=f"{purpose} each number")
    neighbours.add_argument(
        "--factor", dest="operation", action="store_const", const=Operation.FACTOR, help="what divides each number"
    )
    asking.add_argument("--proof", action="store_true", help="probably prime is not enough: primes are proven, with a certificate")
    asking.add_argument("--certificate", action="store_true", help="the same, and a certificate for small primes too")
    asking.add_argument(
        "--deadline", type=_deadline, metavar="S", help="seconds that each answer is wanted for, from when it is asked"
    )

    telling = parser.add_argument_group("what is told")
    telling.add_argument("--json", action="store_true", help="a JSON object a line")
    telling.add_argument("--in-order", action="store_true", help="answers in the order of the numbers, not as they come")
    telling.add_argument("--save-certificates", type=Path, metavar="DIR", help="write certificates there; implies --proof")
    telling.add_argument("--no-check", action="store_true", help="do not check evidence")

    connection = parser.add_argument_group("the connection")
    url = environment.get("PRIMES_URL") or URL
    connection.add_argument("--url", default=url, help="where the server is (PRIMES_URL; now: %(default)s)")
    connection.add_argument("--ca", metavar="FILE", help="the authorities that wss:// trusts (PEM), in place of the system's")
    connection.add_argument("--resume", type=Path, metavar="FILE", help="keep in FILE how far it is; go on there if FILE exists")
    connection.add_argument("--give-up-after", type=_seconds, metavar="S", help="seconds without a connection; else never")
    connection.add_argument(
        "--window", type=_window, default=WINDOW, metavar="N", help="numbers that the server has at once (default: %(default)s)"
    )
    parser.set_defaults(operation=Operation.IS_PRIME)
    return parser


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _seconds(text: str) -> float:
    if not 0 < (seconds := _number(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"expected a finite number of seconds above 0, got {text!r}")
    return seconds


def _deadline(text: str) -> float:
    if not 0 < (seconds := _number(text)) <= LONGEST_DEADLINE:
        raise argparse.ArgumentTypeError(f"expected seconds above 0 and up to {LONGEST_DEADLINE:,}, got {text!r}")
    return seconds


def _window(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= WINDOW or len(text) > 4:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {WINDOW}, got {text!r}")
    return int(text)
