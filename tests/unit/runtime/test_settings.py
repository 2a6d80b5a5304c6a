"""Settings are read from command line and environment, checked before anything starts, and every bad one is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.canary.settings import CanarySettings
from services.runtime.settings import ServiceSettings, load
from services.web.settings import WebSettings
from services.worker.settings import WorkerSettings

PROGRAM = "python -m services.test"
KINDS: list[type[ServiceSettings]] = [WebSettings, WorkerSettings, CanarySettings]
FIELDS = [(kind, name) for kind in KINDS for name in kind.model_fields]

FILES = ("redis_password_file", "redis_ca_file", "redis_certificate_file", "redis_key_file", "sentinel_password_file")

# For each setting a value that it refuses, and what it says that it expects.
BAD = {
    "instance": ("a b", "match pattern '^[A-Za-z0-9._-]{1,64}$'"),
    "redis_url": ("http://redis", "match pattern '^((redis|rediss|unix)://|(rediss"),
    **dict.fromkeys(FILES, ("missing/file", "Expected a readable file (No such file or directory)")),
    "redis_timeout": ("0", "greater than 0"),
    "watchdog": ("-1", "greater than 0"),
    "drain": ("3601", "less than or equal to 3600"),
    "log_format": ("xml", "match pattern '^(text|json)$'"),
    "log_level": ("loud", "match pattern '^(DEBUG|INFO|WARNING|ERROR)$'"),
    "port": ("65536", "less than or equal to 65535"),
    "metrics_port": ("-1", "greater than or equal to 0"),
    "prometheus_url": ("prometheus:9090", "match pattern"),
    "processes": ("65", "less than or equal to 64"),
    "behind_proxy": ("perhaps", "a valid boolean"),
    "allowed_origins": ("example.org", "expected * alone or origins such as https://example.org, 'example.org' is neither"),
    "max_digits": ("19", "greater than or equal to 20"),
    "max_proof_digits": ("10001", "less than or equal to 10000"),
    "max_in_flight": ("0", "greater than or equal to 1"),
    "max_pending": ("10000001", "less than or equal to 10000000"),
    "clients_by": ("name", "'address' or 'socket'"),
    "client_share": ("0", "greater than 0"),
    "client_rate": ("-1", "greater than or equal to 0"),
    "client_burst": ("0", "greater than 0"),
    "max_queued_entries": ("many", "a valid integer"),
    "gather": ("0.2", "less than or equal to 0.1"),
    "session_ttl": ("0", "greater than or equal to 1"),
    "session_in_flight": ("0", "greater than or equal to 1"),
    "ping": ("51", "less than or equal to 50"),
    "long_poll": ("inf", "less than or equal to 3600"),
    "deflate": ("perhaps", "a valid boolean"),
    "max_uploads": ("0", "greater than or equal to 1"),
    "upload_ttl": ("0", "greater than or equal to 1"),
    "upload_rate": ("-1", "greater than or equal to 0"),
    "upload_begins": ("-1", "greater than or equal to 0"),
    "upload_silence": ("0", "greater than"),
    "upload_memory": ("1", "greater than or equal to 16"),
    "short_processes": ("65", "less than or equal to 64"),
    "short_proof_processes": ("-1", "greater than or equal to 0"),
    "heavy_processes": ("0", "greater than or equal to 1"),
    "proof_processes": ("0", "greater than or equal to 1"),
    "part_processes": ("-1", "greater than or equal to 0"),
    "proof_deadline": ("0", "greater than 0"),
    "proof_memory": ("64", "greater than or equal to 128"),
    "cache_ttl": ("-1", "greater than or equal to 0"),
    "certificate_ttl": ("0", "greater than or equal to 1"),
    "certificate_memory": ("1", "greater than or equal to 4"),
    "lease": ("0.5", "greater than or equal to 1"),
    "deadline": ("nan", "less than or equal to 3600"),
    "max_deliveries": ("101", "less than or equal to 100"),
    "child_memory": ("127", "greater than or equal to 128"),
    "traces": ("collector:4318", "match pattern"),
    "trace_sample": ("1.1", "less than or equal to 1"),
    "canary_url": ("http://nginx/", "match pattern"),
    "canary_interval": ("0", "greater than or equal to 0.1"),
    "canary_timeout": ("3601", "less than or equal to 3600"),
    "canary_costly_interval": ("0", "greater than or equal to 0.1"),
    "canary_costly_timeout": ("3601", "less than or equal to 3600"),
}
# and one that it takes, for those that take any text too
GOOD = {
    "instance": ("web0.example_1-a", "web0.example_1-a"),
    "redis_url": ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    "redis_user": ("web", "web"),
    "sentinel_user": ("web", "web"),
    "redis_timeout": ("2.5", 2.5),
    "watchdog": ("3600", 3600.0),
    "drain": ("0.1", 0.1),
    "log_format": ("json", "json"),
    "log_level": ("DEBUG", "DEBUG"),
    "port": ("0", 0),
    "address": ("127.0.0.1", "127.0.0.1"),
    "metrics_port": ("65535", 65_535),
    "metrics_address": ("::1", "::1"),
    "prometheus_url": ("http://prometheus:9090", "http://prometheus:9090"),
    "operators_access": ("/run/operators", Path("/run/operators")),
    "processes": ("0", 0),
    "behind_proxy": ("true", True),
    "allowed_origins": ("https://a.example,http://b.example:8080",) * 2,
    "max_digits": ("20", 20),
    "max_proof_digits": ("20", 20),
    "max_in_flight": ("1", 1),
    "max_pending": ("10000000", 10_000_000),
    "clients_by": ("socket", "socket"),
    "client_share": ("1", 1.0),
    "client_rate": ("0", 0.0),
    "client_burst": ("2.5", 2.5),
    "max_queued_entries": ("1", 1),
    "gather": ("0", 0.0),
    "session_ttl": ("60", 60),
    "session_in_flight": ("2", 2),
    "ping": ("0.1", 0.1),
    "long_poll": ("30", 30.0),
    "deflate": ("true", True),
    "max_uploads": ("2", 2),
    "upload_ttl": ("60", 60),
    "upload_rate": ("0", 0),
    "upload_begins": ("0", 0.0),
    "upload_silence": ("1.5", 1.5),
    "upload_memory": ("32", 32),
    "short_processes": ("0", 0),
    "short_proof_processes": ("0", 0),
    "heavy_processes": ("64", 64),
    "proof_processes": ("2", 2),
    "part_processes": ("0", 0),
    "proof_deadline": ("86400", 86_400.0),
    "proof_memory": ("128", 128),
    "cache_ttl": ("0", 0),
    "certificate_ttl": ("60", 60),
    "certificate_memory": ("4", 4),
    "lease": ("1", 1.0),
    "deadline": ("0.5", 0.5),
    "max_deliveries": ("1", 1),
    "child_memory": ("128", 128),
    "canary_url": ("wss://primes.example/chatsocket", "wss://primes.example/chatsocket"),
    "canary_interval": ("1", 1.0),
    "canary_timeout": ("0.5", 0.5),
    "canary_costly_interval": ("1", 1.0),
    "canary_costly_timeout": ("0.5", 0.5),
    "traces": ("https://collector:4318/v1/traces", "https://collector:4318/v1/traces"),
    "trace_sample": ("0", 0.0),
}
FREE = {"redis_user", "sentinel_user", "operators_access", "address", "metrics_address"}  # take any text
SWITCHES = {"behind_proxy", "deflate"}  # have no value on the command line


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, name in FIELDS:
        monkeypatch.delenv(variable(name), raising=False)
        monkeypatch.delenv(variable(name).lower(), raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def option(name: str) -> str:
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    return "PRIMES_" + name.upper()


def refused(capsys: pytest.CaptureFixture[str], kind: type[ServiceSettings], *arguments: str) -> str:
    """What stands on standard error when the program ends with status 2 and says nothing elsewhere."""
    with pytest.raises(SystemExit) as end:
        load(kind, PROGRAM, list(arguments))
    output = capsys.readouterr()
    assert (end.value.code, output.out) == (2, "")
    return output.err


def test_every_setting_has_its_examples() -> None:
    names = {name for _, name in FIELDS}
    assert BAD.keys() == names - FREE
    assert GOOD.keys() == names - set(FILES)


@pytest.mark.parametrize(("kind", "name"), [field for field in FIELDS if field[1] in GOOD])
def test_is_read_from_command_line_and_environment(kind: type[ServiceSettings], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, value = GOOD[name]
    assert getattr(load(kind, PROGRAM, [option(name)] if name in SWITCHES else [option(name), text]), name) == value
    monkeypatch.setenv(variable(name), text)
    assert getattr(load(kind, PROGRAM, []), name) == value


@pytest.mark.parametrize(("kind", "name"), [field for field in FIELDS if field[1] in BAD.keys() - SWITCHES])
def test_a_bad_value_on_the_command_line_is_named(
    kind: type[ServiceSettings], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, expected = BAD[name]
    said = refused(capsys, kind, f"{option(name)}={text}")
    assert said.startswith(f"{PROGRAM}: {option(name)} ({variable(name)}): ")
    assert expected in said
    assert said.endswith(f", got {text!r}\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("kind", "name"), [field for field in FIELDS if field[1] in BAD])
def test_a_bad_value_in_the_environment_is_named(
    kind: type[ServiceSettings], name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, expected = BAD[name]
    monkeypatch.setenv(variable(name), text)
    said = refused(capsys, kind)
    assert said.startswith(f"{PROGRAM}: {option(name)} ({variable(name)}): ")
    assert expected in said
    assert said.endswith(f", got {text!r}\n")


@pytest.mark.parametrize("kind", KINDS)
def test_all_bad_values_are_named_at_once(kind: type[ServiceSettings], capsys: pytest.CaptureFixture[str]) -> None:
    bad = [name for name in kind.model_fields if name in BAD.keys() - SWITCHES]
    said = refused(capsys, kind, *(f"{option(name)}={BAD[name][0]}" for name in bad))
    assert sorted(line.split()[3] for line in said.splitlines()) == sorted(map(option, bad))


@pytest.mark.parametrize("kind", KINDS)
def test_no_setting_is_required(kind: type[ServiceSettings]) -> None:
    assert load(kind, PROGRAM, []).model_fields_set == set()


def test_the_documents_port_is_the_default() -> None:
    assert load(WebSettings, PROGRAM, []).port == 8888


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMES_PORT", "8001")
    assert load(WebSettings, PROGRAM, ["--port", "8002"]).port == 8002


def test_a_bad_value_in_the_environment_does_not_matter_when_the_command_line_has_a_good_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PRIMES_PORT", "eighty")
    assert load(WebSettings, PROGRAM, ["--port", "8002"]).port == 8002


def test_a_switch_is_set_and_unset_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMES_BEHIND_PROXY", "true")
    assert load(WebSettings, PROGRAM, ["--behind-proxy"]).behind_proxy is True
    assert load(WebSettings, PROGRAM, ["--no-behind-proxy"]).behind_proxy is False


@pytest.mark.parametrize("argument", ["--prot=8000", "--por=8000", "--max_digits=100", "8000"])
def test_an_unknown_option_is_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{PROGRAM}: error: unrecognized arguments: {argument}\n" in refused(capsys, WebSettings, argument)


def test_an_option_without_its_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{PROGRAM}: error: argument --port: expected one argument\n" in refused(capsys, WebSettings, "--port")


@pytest.mark.parametrize(("kind", "name"), [(WebSettings, "lease"), (WorkerSettings, "port")])
def test_a_setting_of_the_other_service_is_refused(
    kind: type[ServiceSettings], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"unrecognized arguments: {option(name)}" in refused(capsys, kind, option(name), "10")


@pytest.mark.parametrize("kind", KINDS)
def test_help_tells_every_setting(kind: type[ServiceSettings], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        load(kind, PROGRAM, ["--help"])
    said = " ".join(capsys.readouterr().out.split())
    expected = [f" {option(name)}" for name in kind.model_fields] + [str(field.description) for field in kind.model_fields.values()]
    assert (end.value.code, [words for words in expected if words not in said]) == (0, [])


@pytest.mark.parametrize("kind", KINDS)
def test_help_says_what_the_program_is_for(kind: type[ServiceSettings], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load(kind, PROGRAM, ["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"usage: {PROGRAM} [-h]")
    assert str(kind.__doc__) in said


@pytest.mark.parametrize("kind", KINDS)
def test_settings_do_not_change(kind: type[ServiceSettings]) -> None:
    settings = load(kind, PROGRAM, [])
    for name in kind.model_fields:
        with pytest.raises(ValidationError, match="Instance is frozen"):
            setattr(settings, name, None)


def test_there_is_no_password_without_a_file() -> None:
    assert load(WebSettings, PROGRAM, []).redis_password is None


@pytest.mark.parametrize("name", ["redis_password", "sentinel_password"])
def test_a_password_is_what_its_file_holds_without_the_newline(name: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    settings = load(WebSettings, PROGRAM, [f"{option(name)}-file={tmp_path / 'password'}"])
    assert getattr(settings, name) == "secret"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "password").write_bytes(b"\xff\xfe")
    assert "Expected a text file" in refused(capsys, WebSettings, f"--redis-password-file={tmp_path / 'password'}")


def test_a_key_wants_its_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "key").write_text("a key\n")
    assert "Expected a certificate" in refused(capsys, WebSettings, f"--redis-key-file={file}")
    assert load(WebSettings, PROGRAM, [f"--redis-key-file={file}", f"--redis-certificate-file={file}"]).redis_key_file == file


@pytest.mark.parametrize("hosts", ["a:1", "a:1,b:2,c:3", "127.0.0.1:26379"])
@pytest.mark.parametrize("scheme", ["sentinel", "rediss+sentinel"])
def test_sentinels_are_hosts_with_ports_and_the_name_of_a_primary(scheme: str, hosts: str) -> None:
    assert load(WebSettings, PROGRAM, ["--redis-url", f"{scheme}://{hosts}/primes"]).redis_url == f"{scheme}://{hosts}/primes"


@pytest.mark.parametrize("rest", ["a:1", "a:1/", "a/primes", "a:1,/primes", "a:b/primes", ":1/primes", "a:1/primes/0", "u@a:1/"])
def test_sentinels_of_another_form_are_refused(rest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "match pattern" in refused(capsys, WebSettings, f"--redis-url=sentinel://{rest}")


@pytest.mark.parametrize("origins", ["", "https://a.example,", "*,b.example", "ftp://a.example", "null", " https://a.example"])
def test_an_origin_has_its_scheme(origins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected * alone or origins such as https://example.org" in refused(capsys, WebSettings, f"--allowed-origins={origins}")


@pytest.mark.parametrize("origins", ["https://a.example,*", "https://a.example/", "https://a.example/page", "https://"])
def test_an_origin_that_could_never_match_is_refused(origins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected * alone or origins such as https://example.org" in refused(capsys, WebSettings, f"--allowed-origins={origins}")


NO_ADDRESS = "Expected a host and a port, which is a number up to 65535"


@pytest.mark.parametrize(
    ("kind", "name", "url", "expected"),
    [
        *(
            (WorkerSettings, "redis_url", f"{start}{end}", NO_ADDRESS)
            for start in ("redis://a:", "sentinel://a:1,b:")
            for end in ("65536/p", "99999/p")
        ),
        (WebSettings, "redis_url", "redis://a:port", NO_ADDRESS),
        (WebSettings, "redis_url", "rediss://[::1", NO_ADDRESS),
        (WebSettings, "redis_url", "redis://a:1/0?timeuot=1", "Expected no ? and no #"),
        (WebSettings, "redis_url", "redis://a:1/primes", "Expected nothing behind the port, or the number of a database"),
        (WebSettings, "redis_url", "unix://", "Expected a path"),
        (WebSettings, "prometheus_url", "http://a:port", NO_ADDRESS),
        (WebSettings, "prometheus_url", "http:///a", "Expected a host"),
        (WorkerSettings, "traces", "http://[::1/v1/traces", NO_ADDRESS),
        (CanarySettings, "canary_url", "ws://a:99999/chatsocket", NO_ADDRESS),
        (CanarySettings, "canary_url", "ws://:80/chatsocket", "Expected a host"),
        (CanarySettings, "canary_url", "wss://[::1/chatsocket", NO_ADDRESS),
    ],
)
def test_an_address_that_nothing_could_connect_to_is_refused(
    kind: type[ServiceSettings], name: str, url: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, kind, f"{option(name)}={url}")
    assert said.startswith(f"{PROGRAM}: {option(name)} ({variable(name)}): {expected}")
    assert said.endswith(f", got {url!r}\n")


@pytest.mark.parametrize(
    "url",
    ["redis://", "redis://a", "redis://a:65535/", "rediss://[::1]:1/15", "redis://user:a,b%3F@a:1", "unix://user:a@/run/a%3F.sock"],
)
def test_redis_is_where_any_address_says(url: str) -> None:
    assert load(WebSettings, PROGRAM, ["--redis-url", url]).redis_url == url


@pytest.mark.parametrize(
    "url", ["redis://user:secret@a:port", "http://user:secret@a", "redis://user:secret/a@b:1", "redis://user:secret?@a"]
)
def test_a_password_in_a_bad_address_is_not_shown(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "secret" not in refused(capsys, WebSettings, f"--redis-url={url}")
