-- Renews the leases that a consumer still holds, in one step with the look whether it does: another worker
-- may take an entry over at any time. Returns the ids of those that it lost: taken over, or gone with stream
-- or group.
local stream = unpack(KEYS)
local group, consumer = unpack(ARGV)
local ENTRIES = 3 -- where the ids begin in ARGV

local lost = {}
for _, entry in ipairs({ unpack(ARGV, ENTRIES) }) do
    if is_held(stream, group, consumer, entry) then -- held.lua
        -- JUSTID: resets the idle time and leaves the delivery count alone
        redis.call('XCLAIM', stream, group, consumer, 0, entry, 'JUSTID')
    else
        table.insert(lost, entry)
    end
end
return lost
