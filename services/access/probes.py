"""Commands by which a process asks Redis whether its user may do all that RULES says."""

from services.access.rules import RULES

_CHANNEL = {"publish", "subscribe", "unsubscribe"}  # their first argument is a channel; of the others it may be a key

# The fewest arguments that Redis takes of each command of web and worker: with fewer it would not look at rights.
_FEWEST = {
    command: count
    for count, commands in enumerate(
        (
            "exec hello info multi ping time unsubscribe",
            "client|setname exists get hgetall hlen llen lpop pttl subscribe ttl xinfo|groups xinfo|stream xlen zcard zpopmin",
            "acl|dryrun client|setinfo incrby set eval evalsha expire hdel hexists hget hmget publish rpush"
            " xdel xinfo|consumers xpending zrem zscore",
            "hincrby hset lrange lrem xack xgroup|create xgroup|delconsumer xrange zadd zrange zremrangebyrank",
            "xadd",
            "xclaim",
            "xreadgroup",
        )
    )
    for command in commands.split()
}


def probes(user: str) -> list[tuple[str, ...]]:
    """Commands, as words, of which each needs one right of this user: each command, each kind of key, each kind of channel.

    They are asked about and not run. All arguments are the same name, so that a key is one wherever the command has it.
    """
    words = RULES[user].split()
    commands = [word[1:] for word in words if word.startswith("+")]
    keys, channels = _names(words, "~"), _names(words, "&")
    calls = [_call(command, channels[0] if command in _CHANNEL else keys[0]) for command in commands]
    calls += [_call("expire", key) for key in keys[1:]]
    return calls + [_call(command, channel) for channel in channels for command in ("publish", "subscribe")]


def _names(words: list[str], sign: str) -> list[str]:
    """A name for each pattern of keys (~) or channels (&)."""
    return [word[1:].replace("*", "any") for word in words if word.startswith(sign)]


def _call(command: str, name: str) -> tuple[str, ...]:
    return *command.split("|"), *[name] * _FEWEST[command]
