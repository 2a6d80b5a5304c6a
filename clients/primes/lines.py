"""What the command prints: a line for each answer, for people or for programs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import factoring
from .conversation import Answer
from .evidence import Judgement, Outcome
from .functions import NotANumber
from .questions import Question
from .requests import Operation, PrimesError

LONGEST = 60  # characters of a number that are shown whole
ENDS = 20  # characters of both ends of a longer one

VERDICTS = {"neither": "neither prime nor composite", "probably_prime": "probably prime"}
KNOWN = ("best", "method", "factors", "cofactor", "complete")  # what an error may tell of a number all the same
FOUND = {Operation.NEXT: "next", Operation.PREVIOUS: "previous"}


def printable(text: str) -> str:
    """A text that does nothing to a terminal: control characters, half characters and the like as escapes, such as \\x1b."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def shorten(number: str) -> str:
    """A number that a person can take in."""
    if len(number) <= LONGEST:
        return number
    return f"{number[:ENDS]}…{number[-ENDS:]} ({len(number):,} characters)"


def tell(question: Question, operation: Operation, answer: Answer, judgement: Judgement | None, saved: Path | None) -> str:
    """An answer, for people."""
    verdict = VERDICTS.get(answer.verdict, answer.verdict)
    if operation is Operation.FACTOR:
        verdict = _tell_factors(answer.factoring)
    elif operation is not Operation.IS_PRIME:
        verdict = f"no {FOUND[operation]} prime" if answer.number is None else f"{FOUND[operation]} prime {shorten(answer.number)}"
        verdict += "" if answer.number is None or answer.proven else ", probably"
    words = _tell_check(answer, judgement)
    if "certificate" in answer.evidence:
        words += f"; certificate {str(answer.evidence['certificate'])[:16]}…" if saved is None else f"; certificate in {saved}"
    words += _tell_value(answer) if operation is Operation.IS_PRIME else ""
    return printable(f"{shorten(question.number)}: {verdict}, {words}")


def _tell_factors(found: Mapping[str, Any]) -> str:
    """As a product; a factor in brackets is composite."""
    try:
        terms = [shorten(term) for term in factoring.tell(found)]
    except NotANumber as error:
        return f"no factors: {error}"
    return " * ".join(terms) if terms else "no factors"


def _tell_value(answer: Answer) -> str:
    """What an expression stands for, at the end of its line: what reads lines finds all else where it was."""
    if answer.digits is None:
        return ""
    digits = f"{answer.digits:,} digit{'' if answer.digits == 1 else 's'}"
    if answer.value is None or len(answer.value) > LONGEST:
        return f"; it has {digits}"
    return f"; it is {answer.value} ({digits})"


def _tell_check(answer: Answer, judgement: Judgement | None) -> str:
    if judgement is None:
        return answer.method
    if judgement.outcome is Outcome.AGREED:
        return f"{'not checked' if answer.proven else 'not proven'}: {judgement.words}"
    return f"{'checked' if judgement.outcome is Outcome.SHOWN else 'REFUTED'}: {judgement.words}"


def tell_failure(question: Question, error: PrimesError) -> str:
    """An error, for people."""
    best = f" (so far: {_tell_known(error.data)})" if "best" in error.data else ""
    return printable(f"{shorten(question.number)}: no answer, {error.code}: {error}{best}")


def _tell_known(data: Mapping[str, Any]) -> str:
    """What is known though there is no answer."""
    if "factors" in data:
        return _tell_factors(data)
    best = str(data["best"])  # what came may be anything
    return VERDICTS.get(best, best)


def encode(question: Question, operation: Operation, answer: Answer, judgement: Judgement | None, saved: Path | None) -> str:
    """An answer, for programs."""
    told: dict[str, Any] = {"position": question.position, "number": question.number}
    if operation in FOUND:
        told[FOUND[operation]] = answer.number
    told |= {"verdict": answer.verdict, "proven": answer.proven, "method": answer.method, **answer.factoring}
    if answer.evidence:
        told["evidence"] = answer.evidence
    if judgement is not None:
        told |= {"check": judgement.outcome, "why": judgement.words}
    if saved is not None:
        told["file"] = str(saved)
    told |= {name: said for name, said in (("digits", answer.digits), ("value", answer.value)) if said is not None}
    told |= {"queue_ms": answer.queue_ms, "compute_ms": answer.compute_ms, "instance": answer.instance}
    return _encode(told)


def encode_failure(question: Question, error: PrimesError) -> str:
    """An error, for programs."""
    more: Mapping[str, Any] = {name: error.data[name] for name in KNOWN if name in error.data}
    told = {"code": error.code, "message": str(error), **more}
    return _encode({"position": question.position, "number": question.number, "error": told})


def _encode(told: Mapping[str, Any]) -> str:
    return json.dumps(told).replace("\x7f", "\\u007f")  # the one control character that json leaves as it is
