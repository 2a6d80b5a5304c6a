-- Returns which of these entries are no longer in the stream: answered, or lost with Redis' data. It only
-- looks; one step, since it asks up to a thousand times.
-- KEYS: the stream   ARGV: entry ids
local stream, ids = KEYS[1], ARGV
local gone = {}
for _, id in ipairs(ids) do
    if #redis.call('XRANGE', stream, id, id) == 0 then
        gone[#gone + 1] = id
    end
end
return gone
