"""What a child process may use, and who goes before it."""

import contextlib
import os
import resource
import signal

NICENESS = 10  # heavy jobs yield to the quick lane; to other containers they do not, since the kernel shares among these first


def limit(memory: int) -> None:
    """Bound memory (MiB) and priority; be the first to go when the container runs out of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    os.nice(NICENESS)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the worker ends its children itself
