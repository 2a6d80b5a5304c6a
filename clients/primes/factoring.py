"""The factors that a server found of a number, as they came: read with care, and written for people."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .functions import NotANumber

_DECIMAL = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Divisor:
    """One of them, or what is left."""

    number: str  # decimal digits
    multiplicity: int
    verdict: str
    evidence: Mapping[str, Any]


def read(factoring: Mapping[str, Any]) -> tuple[list[Divisor], Divisor | None]:
    """The factors, and what is left, where something is. Raises NotANumber for what is none."""
    found, left = factoring.get("factors"), factoring.get("cofactor")
    if not isinstance(found, list):
        raise NotANumber("expected a list of factors")
    return [_read(one, "factor") for one in found], None if left is None else _read(left, "number")


def _read(one: Any, name: str) -> Divisor:
    fields = one if isinstance(one, dict) else {}
    number, multiplicity, evidence = fields.get(name), fields.get("multiplicity", 1), fields.get("evidence", {})
    if not isinstance(number, str) or not _DECIMAL.fullmatch(number):
        raise NotANumber("expected a factor in digits")
    if not isinstance(multiplicity, int) or isinstance(multiplicity, bool) or multiplicity < 1:
        raise NotANumber("expected the multiplicity of a factor, a number above 0")
    return Divisor(number, multiplicity, str(fields.get("verdict")), evidence if isinstance(evidence, dict) else {})


def tell(factoring: Mapping[str, Any]) -> Iterator[str]:
    """Each factor with its power, and what is left in brackets, as the terms of a product. Raises NotANumber."""
    found, left = read(factoring)
    for one in found:
        power = f"^{one.multiplicity}" if one.multiplicity > 1 else ""
        yield f"({one.number}){power}" if one.verdict == "composite" else f"{one.number}{power}"
    if left is not None:
        yield f"({left.number})"
