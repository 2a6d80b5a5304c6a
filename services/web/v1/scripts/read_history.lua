-- Reads a session's history after a number: as much of it as is kept, at most so many answers, and no more
-- once they have so many bytes. It changes nothing. Returns {number of the session's last answer, answers
-- (MessagePack), number of the last of these}; nil where the session is of another epoch, or not there, or
-- cannot be read, which goes. One step, since without a number nobody knows which answers these are.
-- KEYS: the session and its history.
local session, history = unpack(KEYS)
local epoch, after, most, term, bytes = unpack(ARGV)

local function read_history()
    local found, last = unpack(redis.call('HMGET', session, 'epoch', 'last'))
    if not found or later(found, began(term)) ~= epoch then -- epoch.lua
        return false
    end
    local behind = last - after
    if behind <= 0 then
        return { last, {}, last }
    end
    return { last, missed(history, last, behind, tonumber(most), tonumber(bytes)) } -- missed.lua
end

local read, answers = try(read_history) -- try.lua
if not read then
    forget(session, history)
end
return read and answers
