"""Makes what Redis and its users need to know each other: `python -m services.access DIR`."""

import argparse
from pathlib import Path

from services.access.rules import make


def main() -> None:
    """Make the files and say which."""
    parser = argparse.ArgumentParser(prog="python -m services.access", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--redis-address", default="redis:6379", help="where the exporter finds Redis (default: %(default)s)")
    parser.add_argument(
        "--widen", action="store_true", help="leave users what they may do already, for processes of another version that still run"
    )
    arguments = parser.parse_args()
    made = make(arguments.directory, arguments.redis_address, widen=arguments.widen)
    for path in made:
        print(f"made {path}")
    if not made:
        print(f"kept what stands in {arguments.directory}")


if __name__ == "__main__":
    main()
