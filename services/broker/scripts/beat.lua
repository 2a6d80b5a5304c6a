-- Publishes a beat of a process to itself. A replica, or a Redis that cannot keep what it is told, publishes
-- all the same, so a key that is never there is deleted first: that writes nothing, and is refused there.
-- One step, and so one way there and back: a beat takes no longer than any other command.
-- KEYS: the key that is never there. ARGV: the channel, the beat's number.
redis.call('EXPIRE', KEYS[1], 0) -- in the past: deletes it
redis.call('PUBLISH', ARGV[1], ARGV[2])
