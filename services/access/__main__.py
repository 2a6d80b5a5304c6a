"""Makes what Redis and its users need to know each other: `python -m services.access DIR`."""

import argparse
import sys
from pathlib import Path

from services.access.rules import access_strings, commands, make

FORMS = ("setuser", "access-string")


def main() -> None:
    """Make the files and say which."""
    parser = argparse.ArgumentParser(prog="python -m services.access", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument(
        "--redis-address",
        default="redis:6379",
        help="servers that the exporter reads, between commas; rediss://HOST:PORT is one over TLS (default: %(default)s)",
    )
    parser.add_argument(
        "--widen", action="store_true", help="leave users what they may do already, for processes of another version that still run"
    )
    parser.add_argument(
        "--print",
        choices=FORMS,
        help="also print the users of processes, a line each, for a Redis that reads no file of ours: as commands, or as what"
        " services take that make users by their own interface (their passwords are in DIR/USER/password)",
    )
    arguments = parser.parse_args()
    try:
        made = make(arguments.directory, arguments.redis_address, widen=arguments.widen)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error.filename}: {error.strerror}\n")
    told = sys.stderr if arguments.print else sys.stdout
    for path in made:
        print(f"made {path}", file=told)
    if not made:
        print(f"kept what stands in {arguments.directory}", file=told)
    if arguments.print:
        print(*(commands(arguments.directory) if arguments.print == "setuser" else access_strings()), sep="\n")


if __name__ == "__main__":
    main()
