-- Defines `is_held`: whether an entry is this consumer's. Without a group nothing is anybody's: Redis came
-- back empty, and the entry is lost with it.
local function is_held(stream, group, consumer, entry)
    local pending = redis.pcall('XPENDING', stream, group, entry, entry, 1)
    return not pending.err and #pending == 1 and pending[1][2] == consumer
end
