"""`nginx/settings.sh`: nginx' settings, from the environment."""

from pathlib import Path

import pytest

from local import state
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


def test_web_processes_are_named_once_for_clients_and_once_for_operators() -> None:
    assert "upstream" not in nginx_settings({})  # hosts.local.conf has its own
    told = nginx_settings({"PRIMES_WEB_SERVERS": "web0:8000,web1:8001, web:8000,web:8100"})
    clients, operators = (told.partition(f"upstream {name} {{")[2].partition("}")[0] for name in ("frontends", "operators"))
    assert [f"server {name} resolve" in clients for name in ("web0:8000", "web1:8001", "web:8000", "web:8100")] == [True] * 4
    assert operators.count("server ") == 3
    assert operators.count("server web:9000 resolve") == 1
    assert "resolver 127.0.0.11 valid=1s" in told


@pytest.mark.parametrize(
    "value", ["web0", "web0:", "web0:x", "web0:0", "web0:8000;", "http://web0:8000", "web0:8000 web1:8000; evil"]
)
def test_a_web_process_without_a_name_and_a_port_is_refused(value: str) -> None:
    with pytest.raises(BadSetting, match=r"^nginx: PRIMES_WEB_SERVERS: expected names with ports such as web0:8000"):
        nginx_settings({"PRIMES_WEB_SERVERS": value})


@pytest.mark.parametrize("value", ["10.0.0.10;", "a b;", "{"])
def test_a_resolver_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(BadSetting, match=r"^nginx: PRIMES_RESOLVER: expected the name or IPv4 address of a DNS server"):
        nginx_settings({"PRIMES_WEB_SERVERS": "web:8000", "PRIMES_RESOLVER": value})


def test_make_local_takes_no_setting_that_only_the_stack_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"PRIMES_WEB_SERVERS": "web:8000", "PRIMES_RESOLVER": "127.0.0.1", "PRIMES_HTTPS_REDIRECT": "true"}
    for name, value in {**given, "PRIMES_TLS_CERTIFICATE": __file__, "PRIMES_SOCKETS_PER_ADDRESS": "7"}.items():
        monkeypatch.setenv(name, value)
    state.prepare(tmp_path, 8080, 8090)
    told = (tmp_path / "nginx/etc/settings.conf").read_text()
    assert "limit_conn sockets 7;" in told
    assert "upstream" not in told and "hosts.tls.conf" not in told
