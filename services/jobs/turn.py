"""Whose turn a costly entry takes in its lane, as a field of the entry."""

HANDLING = 2_000  # µs that a costly entry takes of workers and Redis besides its computation: claim, child, answer; a guess

# Estimated µs up to which an entry is a short one: in the heavy lane that is a prime of 1,200 digits, which takes a tenth of that
# on the machine of docs/performance.md; in the lane of proofs it is a proof of a prime of 200 digits.
SHORT = 200_000 + HANDLING
SHORT_PROOF = 350_000


def write(client: str, flow: str, cost: int, proof: int = 0) -> str:
    """`cost`: estimated µs of the computation; `proof`: of the proof, if one is wanted. Neither client nor flow has blanks."""
    return f"{client} {flow} {cost} {proof}"
