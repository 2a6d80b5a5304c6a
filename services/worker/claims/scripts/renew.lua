-- Renews the leases that a consumer still holds. Returns the ids that it lost: taken over, or gone with the stream.
-- KEYS[1] stream   ARGV[1] consumer group   ARGV[2] consumer   ARGV[3..] entry ids
local lost = {}
for i = 3, #ARGV do
    local id = ARGV[i]
    local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
    if held.err == nil and #held == 1 and held[1][2] == ARGV[2] then
        -- JUSTID: resets the idle time and leaves the delivery count alone
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
    else
        lost[#lost + 1] = id
    end
end
return lost
