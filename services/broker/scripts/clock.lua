-- Defines `now_ms`: the time by Redis' clock, in milliseconds since 1970.
local function now_ms()
    local seconds, microseconds = unpack(redis.call('TIME'))
    return seconds * 1000 + math.floor(microseconds / 1000)
end
