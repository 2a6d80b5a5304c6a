"""`nginx/settings.sh`: nginx' settings, from the environment."""

import pytest

from local.state import BadSetting, nginx_settings


def names(settings: str, variable: str) -> set[str]:
    """What stands in the map that gives this variable."""
    block = settings.partition(f" ${variable} {{")[2].partition("}")[0]
    return {line.strip().removesuffix(" 1;") for line in block.splitlines() if line.endswith(" 1;")}


OWN = {"localhost", "127.0.0.1", "[::1]", "nginx"}


def test_any_host_may_be_asked_for_unless_some_are_named() -> None:
    assert names(nginx_settings({}), "host_allowed") == {*OWN, "default"}
    assert names(nginx_settings({"PRIMES_ALLOWED_HOSTS": "*"}), "host_allowed") == {*OWN, "default"}
    assert names(nginx_settings({"PRIMES_ALLOWED_HOSTS": ""}), "host_allowed") == {*OWN, "default"}


def test_hosts_that_are_named_are_let_in_beside_its_own() -> None:
    told = nginx_settings({"PRIMES_ALLOWED_HOSTS": "Example.org, *.example.org,192.0.2.1,[2001:DB8::1],localhost"})
    assert names(told, "host_allowed") == {*OWN, "example.org", "*.example.org", "192.0.2.1", "[2001:db8::1]"}


def test_operators_ask_for_its_own_hosts_and_those_that_are_named() -> None:
    assert names(nginx_settings({}), "operators_host_allowed") == OWN
    assert names(nginx_settings({"PRIMES_OPERATORS_HOSTS": "ops.example"}), "operators_host_allowed") == {*OWN, "ops.example"}


@pytest.mark.parametrize(
    "value",
    ["example.org:8080", "https://example.org", "a b;", "a;b", "*,example.org", "$host", "}", "a..b", "-", "exämple.org", "a\nb}"],
)
def test_what_is_no_host_is_refused(value: str) -> None:
    with pytest.raises(
        BadSetting, match=r"^nginx: PRIMES_ALLOWED_HOSTS: expected \* alone or hosts such as example.org, .*, got '"
    ):
        nginx_settings({"PRIMES_ALLOWED_HOSTS": value})
    with pytest.raises(BadSetting, match=r"^nginx: PRIMES_OPERATORS_HOSTS: expected hosts such as example.org, .*, got '"):
        nginx_settings({"PRIMES_OPERATORS_HOSTS": value})
