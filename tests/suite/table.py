"""The table at the end of a run: what each part took of its limit, and how it ended."""

from collections.abc import Iterable, Iterator

from tests.suite.part import TIMED_OUT, Part, Result


def lines(parts: Iterable[Part], results: Iterable[Result]) -> Iterator[str]:
    """A head, and a line for each part, in the order in which parts are begun; those that never ended have no time."""
    ended = {result.part: result for result in results}
    parts = tuple(parts)
    width = max(len(part.name) for part in parts)
    yield f"{'part':{width}}  {'time':>7}  {'limit':>7}  outcome"
    for part in parts:
        result = ended.get(part)
        time = f"{result.seconds:,.0f} s" if result else "-"
        yield f"{part.name:{width}}  {time:>7}  {part.limit:>5,} s  {_outcome(result)}"


def _outcome(result: Result | None) -> str:
    match result:
        case None:
            return "not run to its end"
        case Result(status=0):
            return "passed"
        case Result(status=status) if status == TIMED_OUT:
            return "over its limit"
        case Result(status=status):
            return f"failed: exit status {status}"
