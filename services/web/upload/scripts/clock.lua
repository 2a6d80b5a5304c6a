-- Defines `now_ms`: the time by Redis' clock, in milliseconds since 1970; `is_attended`.
local function now_ms()
    local seconds, microseconds = unpack(redis.call('TIME'))
    return seconds * 1000 + math.floor(microseconds / 1000)
end

-- Whether its web process said within the lease (ms) that it reads an upload. Where that is in the future
-- Redis' clock was set back: the lease begins anew.
local function is_attended(upload, seen, lease)
    local now = now_ms()
    if tonumber(seen) > now then
        redis.call('HSET', upload, 'seen', now)
        return true
    end
    return now - seen <= tonumber(lease)
end
