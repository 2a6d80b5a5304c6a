-- Reads a session's history after a number: as much of it as is kept, and at most so many answers. It
-- changes nothing. Returns {number of the session's last answer, answers (MessagePack)}; nil where the
-- session is of another epoch, or not there, or cannot be read, which goes. One step, since without the
-- number of the last one nobody knows which answers these are.
-- KEYS: the session and its history.
local session, history = unpack(KEYS)
local epoch, after, most, term = unpack(ARGV)

local function read_history()
    local found, last = unpack(redis.call('HMGET', session, 'epoch', 'last'))
    if not found or later(found, began(term)) ~= epoch then -- epoch.lua
        return false
    end
    local behind = last - after
    if behind <= 0 then
        return { last, {} }
    end
    return { last, redis.call('LRANGE', history, -behind, math.min(most - behind, 0) - 1) }
end

local read, answers = try(read_history) -- try.lua
if not read then
    forget(session, history)
end
return read and answers
