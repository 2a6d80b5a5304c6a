"""Log lines of every process: time, level, instance, sentence, and the ids of what it is about."""

import hashlib
import logging
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from services.runtime.settings import ServiceSettings

# What a line may be about, in the order in which it is told: `log.debug("…", extra=about(job="web0-18c/7"))`.
IDS = ("request", "session", "job", "lane", "entry", "outcome", "ms")


def about(**ids: object) -> dict[str, object]:
    """The `extra` of a log line; its names are of IDS, and what is empty is left out."""
    assert ids.keys() <= set(IDS), ids  # another would be dropped unseen
    return {name: value for name, value in ids.items() if value != ""}


def veil(session: str) -> str:
    """A name for a session in logs: whoever has the token itself has the session."""
    return hashlib.sha256(session.encode()).hexdigest()[:12] if session else ""


def log_to_stderr(settings: ServiceSettings) -> None:
    """Send the log to standard error, where Docker and supervisors pick it up."""
    handler = logging.StreamHandler()
    handler.setFormatter((JSONLines if settings.log_format == "json" else Lines)(settings.instance))
    # force: a forked process says it again, under its own name
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)


class Lines(logging.Formatter):
    """For people: the ids stand behind the sentence."""

    def __init__(self, instance: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {instance.replace('%', '%%')} %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # logging's name
        """The line before a stack trace."""
        return super().formatMessage(record) + "".join(f" {name}={value}" for name, value in _ids(record).items())


class JSONLines(logging.Formatter):
    """For machines: an object a line."""

    def __init__(self, instance: str) -> None:
        super().__init__()
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        """The line, a stack trace in it."""
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{second}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "instance": self._instance,
            "logger": record.name,
            "message": record.getMessage(),
            **_ids(record),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def _ids(record: logging.LogRecord) -> Mapping[str, object]:
    return {name: record.__dict__[name] for name in IDS if name in record.__dict__}
