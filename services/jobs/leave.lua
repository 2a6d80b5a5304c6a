-- Defines `leave`: one asker waits for a run no longer; when it was the last, the entry is acknowledged and deleted, and true returned.
-- An entry without askers is of nobody else either: an older web process wrote it.
local function leave(stream, consumers, askers, entry, asker)
    redis.call('HDEL', askers, asker)
    if redis.call('HLEN', askers) > 0 then
        return false
    end
    redis.call('XACK', stream, consumers, entry)
    redis.call('XDEL', stream, entry)
    return true
end
