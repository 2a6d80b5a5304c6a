"""Checks or rewrites one certificate from standard input, in a process whose time and memory the kernel bounds.

`python -m services.web.http.certificate_program check|primo|pari|mpu|coq SECONDS MIB PARENT`
Status 0: standard output has the outcome as JSON, or the text in that format; 2: the text is no certificate; 3: the format has no
form for it. Of both standard output says why.
"""

import json
import os
import resource
import signal
import sys
from enum import IntEnum
from typing import Any

from certificates import Certificate, Malformed, Rejected, Unwritable, read, verify, write
from certificates.arithmetic import written
from services.runtime.tether import tether

CHECK = "check"
NICEST = 19  # what is checked for a stranger gives way to all else on this machine


class Status(IntEnum):
    """Exit statuses other than 0."""

    MALFORMED = 2
    UNWRITABLE = 3


def main(operation: str, seconds: int, memory: int, parent: int) -> int:
    """Bound this process, then do what is asked."""
    tether(parent, signal.SIGKILL)
    os.nice(NICEST)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        certificate = read(sys.stdin.buffer.read())
        if operation == CHECK:
            sys.stdout.write(json.dumps(outcome(certificate)))
        else:
            sys.stdout.buffer.write(b"".join(write(certificate, operation)))
    except Malformed as error:
        sys.stdout.write(str(error))
        return Status.MALFORMED
    except Unwritable as error:
        sys.stdout.write(str(error))
        return Status.UNWRITABLE
    return 0


def outcome(certificate: Certificate) -> dict[str, Any]:
    """Whether it proves its number, and why not."""
    number = written(certificate.n)
    told = {"number": number, "digits": len(number.lstrip("-")), "kind": certificate.kind, "steps": certificate.length}
    try:
        verify(certificate)
    except Rejected as error:
        return {**told, "proven": False, "step": error.step, "reason": error.reason}
    return {**told, "proven": True}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
