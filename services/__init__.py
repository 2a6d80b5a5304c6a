"""The processes: web, worker, canary; and what they share."""

VERSION = "0.1.0"
