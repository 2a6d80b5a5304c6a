"""The WebSocket says what `docs/asyncapi.yaml` says, whatever it is asked."""

import json
from typing import Any

import jsonschema_rs
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from services.web.v1.errors import Code
from tests.integration.conftest import Whole
from tests.integration.processes import ROOT

DESCRIBED = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
SAID = ("response", "responses", "session", "progress", "going_away")
ASKED = ("is_prime", "cancel", "batch")  # resume comes first on a socket or not at all
UNREADABLE = {"parse_error", "invalid_request", "method_not_found", "invalid_params"}


def validator(*messages: str) -> Any:
    """Whether a value is one of these messages."""
    payloads = [DESCRIBED["components"]["messages"][message]["payload"] for message in messages]
    return jsonschema_rs.validator_for({"anyOf": payloads, "components": DESCRIBED["components"]})


SAYS, ASKS = validator(*SAID), validator(*ASKED)

ids = st.one_of(st.integers(-(2**63), 2**63), st.text(max_size=20))
digits = st.from_regex(r"-?[0-9]{1,60}", fullmatch=True)
numbers = st.one_of(digits, st.integers(), st.text(max_size=10))
deadlines = st.floats(1, 3600)
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)
is_prime = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": ids,
        "method": st.just("is_prime"),
        "params": st.one_of(
            st.fixed_dictionaries({"number": numbers}, optional={"deadline": deadlines}),
            st.tuples(numbers),
            st.tuples(numbers, deadlines),
        ),
    }
)
cancel = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": ids,
        "method": st.just("cancel"),
        "params": st.one_of(st.fixed_dictionaries({"request": ids}), st.tuples(ids)),
    }
)
right = st.one_of(
    is_prime, cancel, st.lists(st.one_of(is_prime, cancel), min_size=1, max_size=5, unique_by=lambda r: repr(r["id"]))
)
wrong = st.one_of(
    odd,
    st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.one_of(st.just("2.0"), odd),
            "id": st.one_of(ids, odd),
            "method": st.one_of(st.sampled_from(["is_prime", "cancel", "resume"]), odd),
            "params": st.one_of(
                odd, st.fixed_dictionaries({}, optional={"number": odd, "request": odd, "session": odd, "offset": odd})
            ),
        },
    ),
)


def exchange(socket: ClientConnection, message: Any) -> list[Any]:
    """All that comes until this message, or one before it, is answered."""
    socket.send(json.dumps(message))
    said = []
    while True:
        said.append(json.loads(socket.recv(30)))
        SAYS.validate(said[-1])
        if isinstance(said[-1], list) or said[-1].get("method") != "progress":
            return said


def codes(said: list[Any]) -> set[str]:
    """The codes of the errors among what was said."""
    responses = [each for message in said for each in (message if isinstance(message, list) else [message])]
    return {response["error"]["data"]["code"] for response in responses if "error" in response}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(message=right)
def test_what_the_description_allows_is_understood(whole: Whole, message: Any) -> None:
    ASKS.validate(json.loads(json.dumps(message)))
    with connect(whole.webs[0].url, subprotocols=["primes.v1"]) as socket:  # type: ignore[list-item]
        SAYS.validate(json.loads(socket.recv(30)))
        assert codes(exchange(socket, message)) & UNREADABLE == set()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(message=wrong)
def test_what_it_does_not_allow_is_refused_as_described(whole: Whole, message: Any) -> None:
    with connect(whole.webs[0].url, subprotocols=["primes.v1"]) as socket:  # type: ignore[list-item]
        SAYS.validate(json.loads(socket.recv(30)))
        marker = {"jsonrpc": "2.0", "id": "the last", "method": "cancel", "params": ["never asked"]}
        socket.send(json.dumps(message))
        said = exchange(socket, marker)
        while said[-1] != {"jsonrpc": "2.0", "id": "the last", "result": {"cancelled": False}}:
            said.append(json.loads(socket.recv(30)))
            SAYS.validate(said[-1])
        if not ASKS.is_valid(message) and isinstance(message, dict) and message.get("method") != "resume" and "id" in message:
            assert codes(said), message


def test_every_code_and_method_is_described() -> None:
    schemas = DESCRIBED["components"]["schemas"]
    assert schemas["error"]["properties"]["error"]["properties"]["data"]["properties"]["code"]["enum"] == list(Code)


def test_the_description_is_served(whole: Whole) -> None:
    response = whole.webs[0].get("/asyncapi.yaml")
    assert (response.status, response.headers["Content-Type"]) == (200, "application/yaml")
    assert yaml.safe_load(response.body) == DESCRIBED
