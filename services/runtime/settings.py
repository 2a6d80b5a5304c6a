"""Settings that several services share, read once from command line and environment."""

import re
import socket
import sys
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, CliApp, SettingsConfigDict, SettingsError

# Where Redis is: itself, or Sentinels that know which of several servers is the primary of this name.
REDIS_URL = r"^((redis|rediss|unix)://|(rediss\+)?sentinel://[^/,:]+:[0-9]+(,[^/,:]+:[0-9]+)*/[A-Za-z0-9._-]+$)"

MOST_PORT = 65_535  # of a higher one the C library takes the last 16 bits, and says nothing
Port = Annotated[int, Field(ge=0, le=MOST_PORT)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


def _check_file(path: Path) -> Path:
    """Read it, to find out early what cannot be read."""
    try:
        path.read_text()
    except OSError as error:
        raise PydanticCustomError("file", "Expected a readable file ({reason})", {"reason": error.strerror}) from None
    except UnicodeDecodeError:
        raise PydanticCustomError("file", "Expected a text file") from None
    return path


TextFile = Annotated[Path, AfterValidator(_check_file)]


def _check_url(url: str) -> str:
    """Refuse what nothing could ever connect to: later it would end the process, or be tried again for ever."""
    try:
        place = urlsplit(url)
        servers = place.netloc.split(",") if place.scheme.endswith("sentinel") else [place.netloc]
        for server in servers:
            _ = urlsplit(f"//{server}").port  # raises for one that is no number, or too high
    except ValueError:
        # not the error's own words, which may quote a password that has a / or a ? in it
        raise PydanticCustomError("url", "Expected a host and a port, which is a number up to 65535") from None
    if place.scheme.startswith(("http", "ws")) and not place.hostname:
        raise PydanticCustomError("url", "Expected a host")
    return url


URL = Annotated[str, AfterValidator(_check_url)]


def _check_redis(url: str) -> str:
    """Refuse what redis-py would take for an option that it does not have, or pass over."""
    place = urlsplit(url)
    if place.query or place.fragment:
        raise PydanticCustomError("url", "Expected no ? and no # (in a password they are %3F and %23)")
    if place.scheme == "unix" and not place.path:
        raise PydanticCustomError("url", "Expected a path")
    if place.scheme in ("redis", "rediss") and not re.fullmatch(r"/?|/[0-9]{1,5}", place.path):
        raise PydanticCustomError("url", "Expected nothing behind the port, or the number of a database")
    return url


class ServiceSettings(BaseSettings):
    """One field, one setting: `--redis-url` on the command line, `PRIMES_REDIS_URL` in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="PRIMES_",
        frozen=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    instance: str = Field(
        default_factory=socket.gethostname,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="name of this process in metrics and logs; the host's unless set",
    )
    watchdog: Seconds = Field(30.0, description="seconds after which a process whose event loop stands still ends itself")
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    log_format: Annotated[str, Field(pattern="^(text|json)$")] = Field("text", description="text for people, json for machines")


class Settings(ServiceSettings):
    """What web process and worker need for Redis, and for their end."""

    redis_url: Annotated[URL, AfterValidator(_check_redis)] = Field(
        "redis://127.0.0.1:6379",
        pattern=REDIS_URL,
        description="where Redis listens: `redis://HOST:PORT`, `rediss://` (TLS) or `unix://PATH`; or the Sentinels that know where"
        " the primary is: `sentinel://HOST:PORT,HOST:PORT/NAME`, over TLS `rediss+sentinel://`",
    )
    redis_user: str | None = Field(None, description="ACL user")
    redis_password_file: TextFile | None = Field(None, description="file that holds the ACL user's password")
    redis_ca_file: TextFile | None = Field(None, description="authorities that vouch for Redis over TLS; the system's unless set")
    redis_certificate_file: TextFile | None = Field(None, description="certificate to show to Redis over TLS")
    redis_key_file: TextFile | None = Field(None, description="the certificate's private key, unless its file holds both")
    sentinel_user: str | None = Field(None, description="ACL user of the Sentinels")
    sentinel_password_file: TextFile | None = Field(None, description="file that holds the password of the Sentinels' user")
    redis_timeout: Seconds = Field(5.0, description="seconds until a silent Redis connection counts as lost")
    drain: Seconds = Field(10.0, description="seconds that SIGTERM leaves for work under way")
    traces: URL = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="where spans are sent, by OTLP over HTTP: `http://HOST:4318/v1/traces`; empty: nothing is traced",
    )

    @field_validator("redis_key_file")
    @classmethod
    def _check_key(cls, key: Path | None, others: ValidationInfo) -> Path | None:
        if key and others.data.get("redis_certificate_file") is None:
            raise PydanticCustomError("key", "Expected a certificate (redis_certificate_file) beside the key")
        return key

    @property
    def redis_password(self) -> str | None:
        """The password, without the newline that an editor leaves."""
        return _read(self.redis_password_file)

    @property
    def sentinel_password(self) -> str | None:
        """The password for Sentinels, likewise."""
        return _read(self.sentinel_password_file)


def _read(path: Path | None) -> str | None:
    return path.read_text().strip() if path else None


S = TypeVar("S", bound=ServiceSettings)


def load(settings: type[S], program: str, arguments: list[str]) -> S:
    """Read and check the settings; ends the program with status 2 and a line for each bad one."""

    class Program(settings):  # type: ignore[valid-type,misc]  # a class made at run time: it carries the program's name for --help
        model_config = SettingsConfigDict(cli_prog_name=program)
        __doc__ = settings.__doc__

    try:
        loaded: S = CliApp.run(Program, cli_args=arguments)
    except ValidationError as error:
        refuse(program, [describe(detail["loc"], detail["msg"], detail["input"]) for detail in error.errors()])
    except SettingsError as error:
        refuse(program, [str(error)])
    return loaded


def describe(location: tuple[int | str, ...], expected: str, came: object) -> str:
    """One bad setting: its name, what was expected, what came."""
    name = ".".join(map(str, location))
    return f"--{name.replace('_', '-')} (PRIMES_{name.upper()}): {expected}, got {hide_password(repr(came))}"


def hide_password(url: str) -> str:
    """The same without user and password, if it holds them: for logs."""
    return re.sub(r"//.*@", "//", url)


def refuse(program: str, complaints: list[str]) -> NoReturn:
    """Say what is wrong with the settings and end."""
    for complaint in complaints:
        print(f"{program}: {complaint}", file=sys.stderr)
    raise SystemExit(2)
