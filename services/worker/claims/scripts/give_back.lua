-- Gives entries to a consumer that nobody is, as if their lease had run out, so that the next worker that
-- looks takes them over. Returns how many: an entry that another worker has by now stays its own, and one
-- that is gone stays gone. One step with the look whose it is.
local stream = KEYS[1]
local group, consumer, nobody, idle = unpack(ARGV) -- idle: ms
local PAIRS = 5 -- where the entries begin in ARGV, each with how often it was delivered before

local given = 0
for i = PAIRS, #ARGV, 2 do
    local entry, delivered = ARGV[i], ARGV[i + 1]
    if is_held(stream, group, consumer, entry) then -- held.lua
        redis.call('XCLAIM', stream, group, nobody, 0, entry, 'IDLE', idle, 'RETRYCOUNT', delivered, 'JUSTID')
        given = given + 1
    end
end
return given
