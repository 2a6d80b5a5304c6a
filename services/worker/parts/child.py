"""The child process that computes one part of a proof at a time: `python -m services.worker.parts.child`.

It loads PARI, and so it is a program of its own, as `services/worker/prove/certify.py` is. Parts, and what came of them, pass in
frames.
"""

import argparse
import signal
import sys

import msgspec

from services.runtime.tether import tether
from services.worker.compute.frames import read_payloads, write_payload
from services.worker.compute.limit import limit
from services.worker.prove.ecpp.parts import compute, decode_part, encode_outcome

UNREADABLE = b""  # what is said of a part that this version cannot read


def main() -> None:
    """Limit this process, then compute until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m services.worker.parts.child", description=__doc__)
    parser.add_argument("--memory", type=int, required=True, metavar="MIB", help="address space that this process may use")
    parser.add_argument("--parent", type=int, required=True, metavar="PID", help="process with which this one ends")
    arguments = parser.parse_args()
    tether(arguments.parent, signal.SIGKILL)
    limit(arguments.memory)
    sink = sys.stdout.buffer
    write_payload(sink, b"")  # the first word: it takes parts from here on
    for part in read_payloads(sys.stdin.buffer):
        write_payload(sink, answer(part, arguments.memory // 2))


def answer(payload: bytes, memory: int) -> bytes:
    """What came of a part, computed with so many MiB of PARI's stack."""
    try:
        part = decode_part(payload)
    except msgspec.DecodeError:
        return UNREADABLE
    return encode_outcome(compute(part, memory))


if __name__ == "__main__":
    main()
