"""What web and worker agree on: names in Redis, messages, connection, settings."""

VERSION = "0.1.0"
