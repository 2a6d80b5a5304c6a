-- Defines `leave`: one asker waits for a run no longer; when it was the last, the entry is acknowledged and
-- deleted with what leads to it, and true returned. An entry without askers is of nobody else either: an
-- older web process wrote it.
-- `questions`: prefix of the questions' keys
local function leave(stream, consumers, questions, askers, entry, asker)
    redis.call('HDEL', askers, asker)
    if redis.call('HLEN', askers) > 0 then
        return false
    end
    local found = redis.call('XRANGE', stream, entry, entry)[1]
    if found then
        leave_turn(stream, entry, turn_of(found[2])) -- turns.lua
    end
    for i = 1, found and #found[2] or 0, 2 do
        if found[2][i] == 'question' then
            redis.call('HDEL', questions .. found[2][i + 1], 'entry', 'so_far')
        end
    end
    redis.call('XACK', stream, consumers, entry)
    redis.call('XDEL', stream, entry)
    return true
end
