"""What the Python client makes of a text, of an answer and of a transcript, in the words of tests/conformance."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clients.primes import evidence
from clients.primes.conversation import (
    Answer,
    Conversation,
    Event,
    Failure,
    Fault,
    Joined,
    Leaving,
    Progress,
    Verdict,
)
from clients.primes.expression import evaluate
from clients.primes.functions import NotANumber
from clients.primes.requests import Operation, PrimesError

TABLES = Path(__file__).parents[2] / "conformance"


def table(name: str) -> Any:
    return json.loads((TABLES / f"{name}.json").read_text())


def value(text: str) -> str | None:
    """In decimal; None where the text is refused."""
    try:
        return str(evaluate(text))
    except NotANumber:
        return None


def judge(case: Mapping[str, Any]) -> str:
    """The outcome for an answer with its evidence."""
    said = {"digits": case.get("digits"), "value": case.get("value")}
    operation, factoring = (Operation.FACTOR, case["factoring"]) if "factoring" in case else (Operation.IS_PRIME, {})
    answer = Answer("t-1", case["verdict"], True, "BPSW", 1, 1, case["evidence"], None, "web0", factoring, **said)
    certificate = case["certificate"].encode(errors="surrogatepass") if "certificate" in case else None
    return evidence.judge(case["number"], operation, answer, certificate).outcome


def play(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is seen after each step of a transcript."""
    conversation = Conversation("t")
    return [take(conversation, step) for step in steps]


def ask(conversation: Conversation, step: Mapping[str, Any]) -> list[object]:
    """The code of its refusal, if it is refused before it is sent."""
    params = {name: step[name] for name in ("deadline",) if name in step}
    number = step["ask"] * step.get("times", 1)
    try:
        conversation.ask(Operation.IS_PRIME, {"number": number, **params}, step.get("id"))
    except PrimesError as error:
        return [{"refused": error.code}]
    except ValueError:
        return [{"refused": "id"}]
    return []


def take(conversation: Conversation, step: dict[str, Any]) -> dict[str, Any]:
    """One step."""
    refused: list[object] = []
    match step:
        case {"ask": _}:
            refused = ask(conversation, step)
        case {"begin": True}:
            conversation.begin()
        case {"end": code}:
            conversation.end(code)
        case {"cancel": id}:
            conversation.cancel(id)
        case {"hear": message}:
            conversation.hear(message if isinstance(message, str) else json.dumps(message), 0)
    return {
        "events": [*refused, *(describe(event) for event in conversation.events())],
        "sent": [shorten(json.loads(text)) for text in conversation.messages(step.get("at", 0))],
        "offset": conversation.saved and conversation.saved.offset,
        "open": conversation.open,
    }


def shorten(message: dict[str, Any]) -> str:
    params = message["params"]
    return f"{message['method']} {message['id']} {params.get('number') or params.get('request') or params.get('offset')}"


def describe(event: Event) -> object:  # noqa: PLR0911 # one for each kind
    match event:
        case Answer():
            names = ("verdict", "proven", "method", "queue_ms", "compute_ms", "evidence", "number", "instance")
            said = {name: getattr(event, name) for name in ("digits", "value") if getattr(event, name) is not None}
            return {"answer": event.id, **{name: getattr(event, name) for name in names}, **said}
        case Failure():
            return {"failure": event.id, "code": event.error.code}
        case Verdict():
            return {"verdict": event.id, "is": event.verdict, "proven": event.proven, "method": event.method}
        case Progress():
            return {"progress": event.id, "state": event.state, "seconds": event.seconds, "depth": event.depth}
        case Joined():
            return {"joined": event.instance, "recovered": event.recovered}
        case Leaving():
            return {"leaving": event.seconds}
        case Fault():
            return "leave"
