"""Whose turn a costly entry takes in its lane, as a field of the entry."""

HANDLING = 2_000  # µs that a costly entry takes of workers and Redis besides its computation: claim, child, answer; a guess

# Estimated µs up to which a costly entry is a short one: a prime of 1,200 digits, which takes a tenth of that on the machine
# of docs/performance.md.
SHORT = 200_000 + HANDLING


def write(client: str, flow: str, cost: int, proof: int = 0) -> str:
    """`cost`: estimated µs of the computation; `proof`: of the proof, if one is wanted. Neither client nor flow has blanks."""
    return f"{client} {flow} {cost} {proof}"
