-- Reads a session's history after a number: as much of it as is kept, and at most so many answers. It changes
-- nothing. Returns {number of the session's last answer, answers (MessagePack)}; nil where the session is of
-- another epoch, or not there. One step, since without the number of the last one nobody knows which answers
-- these are.
-- KEYS: the session and its history.
local session, history = unpack(KEYS)
local epoch, after, most, term = unpack(ARGV)
local found, last = unpack(redis.call('HMGET', session, 'epoch', 'last'))
if later(found, began(term)) ~= epoch then -- epoch.lua
    return false
end
local behind = last - after
if behind <= 0 then
    return { last, {} }
end
return { last, redis.call('LRANGE', history, -behind, math.min(most - behind, 0) - 1) }
