"""What happens in a history from outside: what clients do, and what befalls the parts. It can be thinned out."""

import msgspec


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One act of one client.

    "ask" (`number`, `deadline`, `proof`), "batch" (numbers between commas, in one message), "cancel" (its request `which`), "drop"
    its socket and stay away for `seconds`, "crowd" (come back over `which` sockets at once), "upload" (`which` lines, with so many
    `seconds` between their pieces).
    """

    at: float
    client: int
    kind: str
    number: str = ""
    deadline: float = 0.0
    proof: bool = False
    which: int = 0
    seconds: float = 0.0


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault.

    Of a process, `target`: "kill" and "term" (started again after `seconds`), "stop" (for `seconds`), "cut" (its connections
    to Redis, by `mode`), "deaf" (publications are lost for `seconds`), "slow", "clock" (wrong by `amount` seconds), "child" (what
    befalls its next child or job, by `mode`: "die", "hang"; at its start "stillborn", "stuck"), "stand" (its heavy lane takes no
    step any more).
    Of Redis: "stall", "away" (by `mode` with its data, emptied, or back to the data of `amount` seconds before), "demote",
    "redis-clock".
    """

    at: float
    kind: str
    target: str = ""
    seconds: float = 0.0
    mode: str = ""
    amount: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """A history from outside; `seed` draws the delays and all else that no plan names."""

    seed: int
    length: float  # seconds until everything is healed
    webs: int
    workers: int
    clients: int
    steps: list[Step]
    faults: list[Fault]
    plain: int = 0  # of the clients, the last ones, speak the plain protocol
    uploading: int = 0  # clients that send uploads, beside these
    children: int = 1  # child processes for heavy jobs of each worker
    slowness: float = 1.0  # by which computations take longer
    hurry: bool = False  # whether they take no time worth naming once all is healed
    spared: int = 0  # child processes for short heavy jobs of each worker, and as many for short proofs
    pace: float = 0.0  # seconds that every other turn of a process takes at most: what comes meanwhile is ready for the next one

    @property
    def size(self) -> int:
        """What is left to thin out."""
        return len(self.steps) + len(self.faults)
