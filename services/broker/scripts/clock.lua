-- Defines `now_ms`: the time by Redis' clock, in milliseconds since 1970; and `later_than`: the time, or
-- where that is not well after what is `known`, since the clock went back or little time has passed, one that
-- is an hour to two later.
-- A Redis that came back older may have given times that are a little later than the last one it knows of.
-- Those of that hour are given by nobody, and within the next the clock goes on: none is given twice.
local function now_ms()
    local seconds, microseconds = unpack(redis.call('TIME'))
    return seconds * 1000 + math.floor(microseconds / 1000)
end

local function later_than(known)
    local now, little, hour = now_ms(), 10000, 3600000
    return now > known + little and now or known + hour + now % hour
end
