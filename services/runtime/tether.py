"""Ends a process when its parent ends, however that happens."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tether(parent: int, sent: signal.Signals) -> None:
    """Have the kernel send this signal to this process when its parent (process id) ends. Linux only; elsewhere nothing."""
    if not hasattr(prctl := ctypes.CDLL(None), "prctl"):
        return
    prctl.prctl(_PR_SET_PDEATHSIG, sent)
    if os.getppid() != parent:  # it ended before it was asked
        os.kill(os.getpid(), sent)
