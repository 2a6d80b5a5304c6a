"""The attacker, a process of its own: `python -m tests.abuse.attacker ROW`.

It says when it is ready, begins with the next line of its standard input, and prints as JSON what it was told and for how long (s)
it computed meanwhile.
"""

import argparse
import contextlib
import json
import resource
import sys
import time

import uvloop

from tests.abuse.attacks import ATTACKS, MIXED, Attack, burn, mixture
from tests.abuse.line import Target

BURN = "burn"
PREPARING = ("proofs", MIXED)


def main() -> None:
    """Attack until the time is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.attacker", description=__doc__)
    parser.add_argument("row", choices=[*ATTACKS, MIXED, BURN])
    parser.add_argument("--port", type=int, required=True, help="of nginx")
    parser.add_argument("--address", default="127.0.0.3", help="of the attacker")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of numbers of connections; for burn: share of one core")
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    attack = Attack(Target(arguments.port, arguments.address), arguments.seconds, arguments.seed, arguments.scale)
    run = {**ATTACKS, MIXED: mixture, BURN: burn}[arguments.row]
    if arguments.row in PREPARING:
        attack.prepare()
    print("ready", flush=True)
    if not sys.stdin.readline():  # whoever started it is gone
        return
    attack.begin()
    computed = time.process_time()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run(attack))
    json.dump({"told": attack.told, "computed": time.process_time() - computed}, sys.stdout)


if __name__ == "__main__":
    main()
