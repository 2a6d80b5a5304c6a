"""Who may do what in Redis: its ACL users and their passwords, made at the first start.

DIR gets a folder for each service that needs a secret, so that each can be given its own and no other:
`redis/users.acl` and, for Sentinels, `redis/sentinel.acl` (hashes only), `redis/password`, `redis/replica-password`,
`redis/sentinel-password`, `web/password`, `worker/password`, `operators/password`, `health/password`, `scaler/password`,
`exporter/passwords.json`; and `operators/token`, by which the page knows an operator who may change something.
Passwords that exist are kept, so that a restart changes nothing; delete DIR to have all of them made anew. The rules are those of
this version, for a while with those of the one before; Redis reads them when it starts, and when its own user says so.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from services.jobs.names import KEYS

# Everything that a client of redis-py needs to connect, and no keys, channels or commands beyond what is listed.
_CONNECT = "+hello +ping +client|setname +client|setinfo"

_SCRIPT = "+evalsha +eval"  # what a script calls is checked against the user's own rules

# A Redis that was started anew is known by its `run_id`, which INFO alone tells; how late it was, by its streams' ids.
_TERM = f"~{KEYS}:term +info +time +exists +xinfo|stream"

# What shows with each beat that Redis takes writes: a key that is never there is deleted.
_BEAT = f"~{KEYS}:nothing +expire"

# A session's hash and history; each side's scripts need a little more.
_SESSION = f"~{KEYS}:session:* +hget +hset +hmget +hexists +hdel +hincrby +rpush +lpop +expire +pttl"

# Costly questions: their runs, who waits for them, what came of them.
_RUNS = f"~{KEYS}:question:* ~{KEYS}:askers:* ~{KEYS}:certificate:* +hset +hdel +hlen"

# Whose turn it is in the costly lanes; these keys begin with the stream's name.
_TURNS = "+zadd +zcard +zrange +zrem +zscore +hmget +hset +hincrby +expire"

# Uploads, with their outcomes.
_UPLOADS = f"~{KEYS}:upload:* +ttl"

# A process asks at its start whether Redis knows the rules of its version. That tells it no more than this file does, of no
# user a password, and does nothing.
_ASK = "+acl|dryrun"

# Proofs in parts: which wait, and how far each came.
_PARTS = f"~{KEYS}:parts ~{KEYS}:parts:* ~{KEYS}:chains ~{KEYS}:chain:* +get +set +llen +lrem"

# What processes of the former release keep beside that: web processes of all uploads, workers of all certificates.
_FORMER_WEB = f"~{KEYS}:taken +get +set +incrby"
_FORMER_WORKER = f"~{KEYS}:certificates"

RULES = {
    "web": f"~{KEYS}:jobs:* &primes:* {_CONNECT} {_ASK} {_SCRIPT} {_TERM} {_BEAT} {_SESSION} {_RUNS} {_UPLOADS}"
    f" +hgetall +lrange ~{KEYS}:uploads ~{KEYS}:shares {_TURNS} {_FORMER_WEB}"
    " +xadd +xlen +xrange +xack +xdel +xinfo|groups +publish +subscribe +unsubscribe",
    "worker": f"~{KEYS}:jobs:* ~{KEYS}:dead &primes:* {_CONNECT} {_ASK} {_SCRIPT} {_TERM} {_BEAT} {_SESSION} {_RUNS} {_UPLOADS}"
    f" ~{KEYS}:attempts:* +hgetall +multi +exec"
    f" ~{KEYS}:known ~{KEYS}:certificates:* {_FORMER_WORKER} {_PARTS} +zremrangebyrank {_TURNS} +zpopmin"
    " +publish +subscribe +unsubscribe"
    " +xadd +xlen +xrange +xreadgroup +xclaim +xpending +xack +xdel"
    " +xinfo|groups +xinfo|consumers +xgroup|create +xgroup|delconsumer",
    # The dead letters of the operators' page. In brackets what puts one back: into a lane it may append, and no more.
    "operators": f"~{KEYS}:dead &primes:bell:* {_CONNECT} +xlen +xrange +xdel +publish"
    f" (~{KEYS}:dead ~{KEYS}:jobs:* +evalsha +eval +xadd)",
    "exporter": f"{_CONNECT} +info +latency|latest +latency|histogram +slowlog|get +slowlog|len",
    # What scales workers by the entries that wait (deploy/chart): it may ask how many, and read none.
    "scaler": f"%R~{KEYS}:jobs:* {_CONNECT} +xlen",
    "health": f"{_CONNECT}",
    # Of Redis' own container: has the file of users read anew, and so needs no restart.
    "redis": f"{_CONNECT} +acl|load",
    # Of a replica, and of a Sentinel, to the servers that it follows or watches.
    "replica": "+ping +psync +replconf",
    "sentinel": "&* +ping +hello +info +role +multi +exec +slaveof +replicaof +config|rewrite +publish +subscribe"
    " +client|setname +client|setinfo +client|kill +script|kill",
}

# What Sentinels let others do with themselves: ask where the primary is, and, each other, what they see.
SENTINEL_RULES = {
    **dict.fromkeys(("web", "worker", "operators"), f"{_CONNECT} +sentinel|masters +sentinel|get-master-addr-by-name"),
    "health": f"{_CONNECT} +sentinel|ckquorum",
    "redis": f"{_CONNECT} +sentinel|masters +sentinel|failover",  # by hand, before the primary is maintained
    "sentinel": f"&* {_CONNECT} +auth +role +info +publish +subscribe +sentinel|is-master-down-by-addr",
}

# Users of whoever runs Redis, which a service that runs it for others has by itself.
_OF_REDIS = ("redis", "replica", "sentinel")

# Users whose passwords lie beside the files of users: nobody has them but Redis' own containers.
_IN_REDIS = ("replica", "sentinel")

# Nobody can log in as the default user, but Redis itself does: it runs the append-only file as this user when it
# starts, and would drop every transaction that the user may not run.
_NOBODY = "user default off resetpass ~* &* +@all"


_NOTHING = " resetkeys resetchannels -@all "  # what stands before a user's rights
_RIGHT = re.compile(r"\([^)]*\)|\S+")  # one right of a rule, or some in brackets


def make(directory: Path, redis_address: str, *, widen: bool = False) -> list[Path]:
    """Make the passwords that are missing, and what follows from them and from RULES; returns the files that changed.

    `redis_address`: HOST:PORT of all servers, or rediss://HOST:PORT over TLS, with commas between them.
    To `widen`, users keep what they may do by the file that stands there: processes of two versions need both. Raises OSError.
    """
    acl = directory / "redis" / "users.acl"
    rights = wider(RULES, standing(acl)) if widen else RULES
    passwords: dict[str, str] = {}
    files: dict[Path, str] = {}
    for user in rights:
        path = directory / "redis" / f"{user}-password" if user in _IN_REDIS else directory / user / "password"
        passwords[user] = kept(path)
        files[path] = passwords[user] + "\n"
    token = directory / "operators" / "token"
    files[token] = kept(token) + "\n"
    # the file's form is redis_exporter's: address to password
    files[directory / "exporter" / "passwords.json"] = (
        json.dumps({_of_exporter(address): passwords["exporter"] for address in redis_address.split(",")}) + "\n"
    )
    files[acl] = "\n".join([_NOBODY, *(rule(user, passwords[user], rights[user]) for user in rights)]) + "\n"
    of_sentinels = (rule(user, passwords[user], words) for user, words in SENTINEL_RULES.items())
    files[directory / "redis" / "sentinel.acl"] = "\n".join(["user default off resetpass", *of_sentinels]) + "\n"
    return [write(path, text) for path, text in files.items() if not path.exists() or path.read_text() != text]


def _of_exporter(address: str) -> str:
    scheme, _, place = address.rpartition("://")
    return f"{scheme or 'redis'}://exporter@{place}"


def commands(directory: Path) -> list[str]:
    """A command for each user that processes have, which makes it, or makes it anew, with the password that `make` made."""
    lines = {user: rule(user, kept(directory / user / "password"), RULES[user]) for user in _users()}
    return [f"ACL SETUSER {user} reset {line.removeprefix(f'user {user} ')}" for user, line in lines.items()]


def access_strings() -> list[str]:
    """A line for each user that processes have: its name, and what services take that make users by their own interface.

    Such a service starts from a user without any right, and takes the password apart.
    """
    return [f"{user} on -@all {RULES[user]}" for user in _users()]


def _users() -> list[str]:
    return [user for user in RULES if user not in _OF_REDIS]


def standing(acl: Path) -> dict[str, str]:
    """What each user may do by this file; nobody anything if there is none."""
    lines = acl.read_text().splitlines() if acl.exists() else []
    return {line.split()[1]: line.partition(_NOTHING)[2] for line in lines if _NOTHING in line}


def wider(rights: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """What users may do by either: rules only add, so one after the other allows both."""
    both = {user: f"{rights.get(user, '')} {others.get(user, '')}" for user in (*rights, *(others.keys() - rights))}
    return {user: " ".join(dict.fromkeys(_RIGHT.findall(words))) for user, words in both.items()}


def kept(path: Path) -> str:
    """The secret that this file holds, or a new one."""
    return path.read_text().strip() if path.exists() else secrets.token_urlsafe(32)


def rule(user: str, password: str, rights: str) -> str:
    """One line of the ACL file."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    return f"user {user} on #{digest}{_NOTHING}{rights}"


def write(path: Path, text: str) -> Path:
    """Write a file at once or not at all.

    Readable by others: each service's user is another one, and sees only the folder that it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)  # see above; whatever the umask is
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)  # what an interrupted start left is read-only
    new.write_text(text)
    new.chmod(0o444)
    new.rename(path)
    return path
