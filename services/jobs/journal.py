"""Log lines of every process: time, level, instance, sentence."""

import logging

from services.jobs.settings import ServiceSettings


def log_to_stderr(settings: ServiceSettings) -> None:
    """Send the log to standard error, where Docker and supervisors pick it up."""
    logging.basicConfig(
        level=settings.log_level,
        format=f"%(asctime)s %(levelname)s {settings.instance.replace('%', '%%')} %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        force=True,  # a forked process says it again, under its own name
    )
