-- Defines `is_attended`; after clock.lua.

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
