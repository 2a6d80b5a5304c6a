-- Which of these entries are no longer in the stream: answered, or lost with Redis' data.
-- KEYS[1] stream   ARGV[1..] entry ids
local gone = {}
for _, id in ipairs(ARGV) do
    if #redis.call('XRANGE', KEYS[1], id, id) == 0 then
        gone[#gone + 1] = id
    end
end
return gone
