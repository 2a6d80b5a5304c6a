"""Whose turn a costly entry takes in its lane, as a field of the entry."""


def write(client: str, flow: str, cost: int, proof: int = 0) -> str:
    """`cost`: estimated µs of the computation; `proof`: of the proof, if one is wanted. Neither client nor flow has blanks."""
    return f"{client} {flow} {cost} {proof}"
