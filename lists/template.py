"""Expressions with variables, as PFGW and the sieves write them: `$a*2^$b+1`."""

import re
from collections import Counter
from collections.abc import Sequence

from lists import syntax
from lists.item import LONGEST

_VARIABLE = re.compile(r"\$([a-z])")
_SIGNED = re.compile(r"[+\-]?[0-9]{1,20000}")


class Template:
    """One expression; its variables are filled in as text, as those programs do."""

    def __init__(self, text: str) -> None:
        """Raises ValueError where it has no variable, or is more than one expression with signs that are read here."""
        self._parts = _VARIABLE.split(text.strip())  # text, name, text, name, …, text
        self.names = sorted(set(self._parts[1::2]))
        self._uses = Counter(self._parts[1::2])
        self._fixed = sum(map(len, self._parts[::2]))  # characters that are no variable's
        if not self.names or not syntax.is_candidate(re.sub(r"(\$[a-z])+", "1", text.strip())):
            raise ValueError("an expression in $a, $b and so on")

    def fill(self, values: Sequence[str]) -> str:
        """The expression with these values of its names.

        Raises ValueError where one is none, or runs into a digit before it, or the whole is too long: a variable may stand there
        thousands of times.
        """
        if len(values) != len(self.names) or not all(map(_SIGNED.fullmatch, values)):
            raise ValueError(f"{len(self.names)} integers")
        known = dict(zip(self.names, values, strict=True))
        if self._fixed + sum(len(value) * self._uses[name] for name, value in known.items()) > LONGEST:
            raise ValueError(f"an expression of at most {LONGEST:,} characters")
        pieces = [before := self._parts[0]]
        for name, after in zip(self._parts[1::2], self._parts[2::2], strict=True):
            if before[-1:].isalnum() and known[name][0].isdigit():
                raise ValueError(f"a sign before ${name}")
            pieces += known[name], after
            before = after or known[name]
        return "".join(pieces)
