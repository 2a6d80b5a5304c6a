"""The ACL users of Redis can do what they do and no more, and their passwords stand where only they look."""

import json
import os
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

import pytest

from services.access.__main__ import main
from services.access.probes import probes
from services.access.rules import RULES, access_strings, commands, make, rule
from services.jobs import names
from services.jobs.names import Lane

REDIS = "redis:6379"
USERS = ["web", "worker", "operators", "exporter", "scaler", "health", "redis"]
IN_REDIS = ["replica", "sentinel"]  # whose passwords only Redis' own containers have
WITH_PASSWORD = ["web", "worker", "operators", "health", "redis"]

# Commands that take jobs away from the workers, or out of the queue.
WORKER_ONLY = {"xreadgroup", "xread", "xautoclaim", "xclaim", "xpending", "xtrim", "xgroup", "multi", "exec"}
# Commands that read or destroy what is another's, or the server.
READING = {"keys", "scan", "dump", "monitor", "psubscribe", "pubsub", "client", "client|list", "acl", "config", "script"}
DESTROYING = {"flushall", "flushdb", "del", "unlink", "rename", "restore", "migrate", "swapdb", "client|kill", "function", "module"}
SERVER = {"shutdown", "debug", "replicaof", "failover", "cluster", "save", "bgsave", "bgrewriteaof"}


def words(user: str) -> list[str]:
    """What a rule is made of, without the brackets that narrow some keys to some commands."""
    return [word.strip("()") for word in RULES[user].split()]


def granted(user: str) -> set[str]:
    """The commands of a user, those in brackets too."""
    return {word[1:] for word in words(user) if word.startswith("+")}


def patterns(user: str, sign: str) -> list[str]:
    """Of keys (~) or channels (&)."""
    return [word[1:] for word in words(user) if word.startswith(sign)]


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def snapshot(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_makes_a_folder_for_each_service(tmp_path: Path) -> None:
    made = make(tmp_path, REDIS)
    expected = [f"{user}/password" for user in USERS]
    expected += [f"redis/{user}-password" for user in IN_REDIS]
    expected += ["operators/token", "exporter/passwords.json", "redis/users.acl", "redis/sentinel.acl"]
    assert [str(path.relative_to(tmp_path)) for path in made] == expected
    assert sorted(snapshot(tmp_path)) == sorted(expected)


def test_makes_the_folder_itself(tmp_path: Path) -> None:
    make(tmp_path / "a" / "b", REDIS)
    assert (tmp_path / "a" / "b" / "redis" / "users.acl").exists()


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(sys, "argv", ["access", str(file / "access")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert re.fullmatch(rf"python -m services.access: {file}\S*: Not a directory\n", capsys.readouterr().err)


def test_keeps_what_stands_there(tmp_path: Path) -> None:
    make(tmp_path, REDIS)
    before = snapshot(tmp_path)
    assert make(tmp_path, REDIS) == []
    assert snapshot(tmp_path) == before


def test_goes_on_when_the_first_start_died_before_its_last_file(tmp_path: Path) -> None:
    make(tmp_path, REDIS)
    before = snapshot(tmp_path)
    (tmp_path / "redis" / "users.acl").unlink()
    assert make(tmp_path, REDIS) == [tmp_path / "redis" / "users.acl"]
    assert snapshot(tmp_path) == before


def test_new_rules_keep_the_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, REDIS)
    before = snapshot(tmp_path)
    monkeypatch.setitem(RULES, "web", RULES["web"] + " +time")
    assert make(tmp_path, REDIS) == [tmp_path / "redis" / "users.acl"]
    assert snapshot(tmp_path)["web/password"] == before["web/password"]


def rights(directory: Path, user: str) -> set[str]:
    """What the file of users lets one of them do."""
    (line,) = [line for line in (directory / "redis" / "users.acl").read_text().splitlines() if line.startswith(f"user {user} ")]
    return set(line.partition(" -@all ")[2].split())


def test_while_two_versions_run_their_users_may_do_what_either_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    former, operators = RULES["web"] + " +get ~{primes}:old:*", RULES["operators"] + " (~{primes}:old:* +get)"
    with monkeypatch.context() as version:
        version.setitem(RULES, "web", former)
        version.setitem(RULES, "operators", operators)
        make(tmp_path, REDIS)
    monkeypatch.setitem(RULES, "web", RULES["web"] + " +strlen")
    make(tmp_path, REDIS, widen=True)
    assert rights(tmp_path, "web") == {*RULES["web"].split(), *former.split()}
    assert "(~{primes}:old:* +get)" in (tmp_path / "redis" / "users.acl").read_text()
    assert make(tmp_path, REDIS, widen=True) == []
    make(tmp_path, REDIS)
    assert rights(tmp_path, "web") == set(RULES["web"].split())


def test_a_user_that_this_version_does_not_know_stays_while_two_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as version:
        version.setitem(RULES, "former", "+ping")
        make(tmp_path, REDIS)
        password = (tmp_path / "former" / "password").read_text()
    make(tmp_path, REDIS, widen=True)
    assert f"#{sha256(password.strip().encode()).hexdigest()} " in (tmp_path / "redis" / "users.acl").read_text()
    make(tmp_path, REDIS)
    assert "user former " not in (tmp_path / "redis" / "users.acl").read_text()


def test_a_first_start_may_widen(tmp_path: Path) -> None:
    make(tmp_path / "wide", REDIS, widen=True)
    make(tmp_path / "usual", REDIS)
    assert {user: rights(tmp_path / "wide", user) for user in USERS} == {user: rights(tmp_path / "usual", user) for user in USERS}


def test_begins_anew_when_the_first_start_died_before_a_rename(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "password.new").write_text("half")
    (tmp_path / "web" / "password.new").chmod(0o444)
    make(tmp_path, REDIS)
    assert "web/password.new" not in snapshot(tmp_path)


def test_every_first_start_makes_passwords_of_its_own(tmp_path: Path) -> None:
    make(tmp_path / "one", REDIS)
    make(tmp_path / "two", REDIS)
    passwords = [(tmp_path / start / user / "password").read_text() for start in ("one", "two") for user in WITH_PASSWORD]
    tokens = [(tmp_path / start / "operators" / "token").read_text() for start in ("one", "two")]
    assert len({*passwords, *tokens}) == 12


def test_a_password_is_long_and_fits_every_file(tmp_path: Path) -> None:
    make(tmp_path, REDIS)
    passwords = [(tmp_path / user / "password").read_text() for user in WITH_PASSWORD]
    passwords.append((tmp_path / "operators" / "token").read_text())
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}\n", password) for password in passwords)  # 256 bits


def test_the_acl_file_holds_the_hashes_of_the_passwords_and_no_password(tmp_path: Path) -> None:
    make(tmp_path, REDIS)
    acl = (tmp_path / "redis" / "users.acl").read_text()
    passwords = {user: (tmp_path / user / "password").read_text().strip() for user in WITH_PASSWORD}
    passwords["exporter"] = json.loads((tmp_path / "exporter" / "passwords.json").read_text())[f"redis://exporter@{REDIS}"]
    digests = {user: sha256(password.encode()).hexdigest() for user, password in passwords.items()}
    assert [user for user, digest in digests.items() if f"user {user} on #{digest} " not in acl] == []
    assert [user for user, password in passwords.items() if password in acl] == []
    assert ">" not in acl  # would be a password in the clear


def test_nobody_can_log_in_as_the_default_user(tmp_path: Path) -> None:
    make(tmp_path, REDIS)
    first, *others = (tmp_path / "redis" / "users.acl").read_text().splitlines()
    assert first.startswith("user default off resetpass ")
    assert {"on", "nopass"}.isdisjoint(first.split())
    assert [line.split()[1] for line in others] == USERS + IN_REDIS


def test_the_exporter_finds_its_password_by_address(tmp_path: Path) -> None:
    make(tmp_path, "127.0.0.1:7000,rediss://192.0.2.1:6379")
    addresses = list(json.loads((tmp_path / "exporter" / "passwords.json").read_text()))
    assert addresses == ["redis://exporter@127.0.0.1:7000", "rediss://exporter@192.0.2.1:6379"]


@pytest.mark.usefixtures("usual_umask")
def test_a_service_can_read_its_own_folder_and_write_nothing(tmp_path: Path) -> None:
    made = make(tmp_path, REDIS)
    assert {oct(path.stat().st_mode & 0o777) for path in made} == {"0o444"}
    assert {oct(path.parent.stat().st_mode & 0o777) for path in made} == {"0o755"}


def test_a_service_can_read_its_own_folder_even_when_the_umask_is_strict(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = make(tmp_path, REDIS)
    finally:
        os.umask(before)
    assert {oct(path.parent.stat().st_mode & 0o555) for path in made} == {"0o555"}


@pytest.mark.parametrize("user", USERS)
def test_a_user_begins_with_nothing(user: str) -> None:
    assert re.match(rf"user {user} on #[0-9a-f]{{64}} resetkeys resetchannels -@all ", rule(user, "secret", RULES[user]))


@pytest.mark.parametrize("user", USERS)
def test_a_rule_only_adds_single_commands_and_named_keys_and_channels(user: str) -> None:
    allowed = re.compile(r"\+[a-z]+(\|[a-z]+)?|((%R)?~\{primes\}|&primes):[a-z]*:?\*?")
    assert [word for word in words(user) if not allowed.fullmatch(word)] == []


@pytest.mark.parametrize("user", USERS)
def test_nobody_can_harm_the_server_or_others(user: str) -> None:
    assert granted(user) & (READING | DESTROYING | SERVER) == set()


def test_web_cannot_take_jobs() -> None:
    assert [command for command in granted("web") if command.partition("|")[0] in WORKER_ONLY] == []
    assert "xinfo|consumers" not in granted("web")


@pytest.mark.parametrize("user", ["web", "worker"])
def test_a_process_asks_about_each_right_of_its_user(user: str) -> None:
    asked = probes(user)
    known = {"|".join(words[:length]) for words in asked for length in (1, 2)}
    said = {word for words in asked for word in words}
    assert granted(user) <= known
    kinds = [*patterns(user, "~"), *patterns(user, "&")]
    assert [kind for kind in kinds if not any(fnmatchcase(word, kind) for word in said)] == []


@pytest.mark.parametrize("user", ["exporter", "health", "redis"])
def test_who_only_watches_has_no_keys_and_no_channels(user: str) -> None:
    assert patterns(user, "~") + patterns(user, "&") == []


def test_the_health_check_can_connect_and_nothing_else() -> None:
    assert granted("health") == {"hello", "ping", "client|setname", "client|setinfo"}


def test_what_scales_workers_may_count_the_entries_of_the_lanes_and_read_none() -> None:
    assert granted("scaler") - granted("health") == {"xlen"}
    assert [word for word in words("scaler") if "~" in word] == [f"%R~{names.KEYS}:jobs:*"]


def test_the_user_of_redis_itself_has_the_users_read_and_does_nothing_else() -> None:
    assert granted("redis") - granted("health") == {"acl|load"}


@pytest.mark.parametrize("user", ["web", "worker"])
@pytest.mark.parametrize("lane", Lane)
def test_web_and_worker_reach_the_keys_of_a_lane(user: str, lane: Lane) -> None:
    assert any(fnmatchcase(names.stream(lane), pattern) for pattern in patterns(user, "~"))


@pytest.mark.parametrize("user", ["web", "worker"])
@pytest.mark.parametrize(
    "channel",
    [
        *map(names.bell, Lane),
        names.results("web0-1"),
        names.pulse("web0-1"),
        names.deliveries("web0-1"),
        names.evictions("web0-1"),
        names.notices("web0-1"),
    ],
)
def test_web_and_worker_reach_every_channel(user: str, channel: str) -> None:
    assert any(fnmatchcase(channel, pattern) for pattern in patterns(user, "&"))


@pytest.mark.parametrize("key", [names.session("token"), names.history("token"), names.upload("id"), names.upload_key("digest")])
def test_web_and_worker_alone_reach_sessions_and_uploads(key: str) -> None:
    reached = [user for user in USERS if any(fnmatchcase(key, pattern) for pattern in patterns(user, "~"))]
    assert reached == ["web", "worker"]


def test_only_web_and_worker_remove_what_a_session_has_in_flight() -> None:
    assert [user for user in USERS if "hdel" in granted(user)] == ["web", "worker"]


def test_only_worker_and_operators_reach_the_dead_letters() -> None:
    reached = [user for user in USERS if any(fnmatchcase(names.DEAD, pattern) for pattern in patterns(user, "~"))]
    assert reached == ["worker", "operators"]


def test_operators_append_to_a_lane_in_brackets_and_can_do_nothing_else_there() -> None:
    before, _, brackets = RULES["operators"].partition(" (")
    assert "{primes}:jobs" not in before
    assert set(brackets.rstrip(")").split()) == {"~{primes}:dead", "~{primes}:jobs:*", "+evalsha", "+eval", "+xadd"}


def test_what_is_printed_for_a_redis_elsewhere_has_no_user_of_who_runs_redis(tmp_path: Path) -> None:
    make(tmp_path, REDIS)
    lines = commands(tmp_path)
    assert [line.split()[2] for line in lines] == [line.split()[0] for line in access_strings()]
    assert not {"redis", "replica", "sentinel"} & {line.split()[2] for line in lines}
