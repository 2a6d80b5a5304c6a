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


def test_limits_and_proxies_are_what_they_are_set_to() -> None:
    usual = nginx_settings({}).splitlines()
    assert "limit_conn sockets 1024;" in usual
    assert {"limit_req zone=handshakes burst=2000 nodelay;", "limit_req_zone $socket_of zone=handshakes:4m rate=50r/s;"} <= set(
        usual
    )
    assert not [line for line in usual if "real_ip" in line]
    told = nginx_settings(
        {
            "PRIMES_TRUSTED_PROXIES": "192.0.2.1, 10.0.0.0/8,2001:db8::/32",
            "PRIMES_SOCKETS_PER_ADDRESS": "5",
            "PRIMES_HANDSHAKES_PER_ADDRESS": "7",
        }
    ).splitlines()
    assert {f"set_real_ip_from {proxy};" for proxy in ("192.0.2.1", "10.0.0.0/8", "2001:db8::/32")} <= set(told)
    assert {"real_ip_header X-Forwarded-For;", "real_ip_recursive on;", "limit_conn sockets 5;"} <= set(told)
    assert {"limit_req zone=handshakes burst=280 nodelay;", "limit_req_zone $socket_of zone=handshakes:4m rate=7r/s;"} <= set(told)


def test_0_is_no_limit() -> None:
    none = nginx_settings({"PRIMES_SOCKETS_PER_ADDRESS": "0", "PRIMES_HANDSHAKES_PER_ADDRESS": "0"})
    assert "limit_" not in none


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "07", "1000000", "1;", "1 2"])
def test_what_is_no_number_is_refused(value: str) -> None:
    for name in ("PRIMES_SOCKETS_PER_ADDRESS", "PRIMES_HANDSHAKES_PER_ADDRESS"):
        with pytest.raises(BadSetting, match=f"^nginx: {name}: expected a number from 0 to 999999, got '{value}'$"):
            nginx_settings({name: value})


@pytest.mark.parametrize("value", ["proxy", "10.0.0.0/8;", "10.0.0", "10.0.0.1/", "unix:", "*"])
def test_what_is_no_network_is_refused(value: str) -> None:
    with pytest.raises(BadSetting, match=r"^nginx: PRIMES_TRUSTED_PROXIES: expected addresses or networks such as 192.0.2.0/24, "):
        nginx_settings({"PRIMES_TRUSTED_PROXIES": value})


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
