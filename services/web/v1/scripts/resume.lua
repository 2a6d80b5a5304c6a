-- Moves a session to a web process and tells the one that held it. Returns {its hash, its history after the
-- client's offset as far as it is read at once (empty if the offset is of another epoch), number of the last
-- answer of that}; nil if there is no such session, or none that can be read, which goes. One step: what is
-- answered after it is delivered to the new owner, what was answered before it is in the history.
-- KEYS: the session and its history. `epoch` is empty where the client has seen nothing: of a session that
-- is older than the term it may meanwhile have seen, over another socket, what had former numbers.
local session, history = unpack(KEYS)
local web, lifetime, epoch, after, evictions_to, term, most, bytes = unpack(ARGV)

-- The session moves to `web`. Its moves are not the next number but the time (ms), if that is later: a Redis
-- that comes back older gives none twice, and one that lost the session gives later ones than before.
local function take(owner, known, found)
    local moves = string.format('%.0f', math.max(now_ms(), known + 1)) -- clock.lua
    redis.call('HSET', session, 'owner', web, 'ttl', lifetime, 'moves', moves, 'epoch', found)
    redis.call('EXPIRE', session, lifetime)
    redis.call('EXPIRE', history, lifetime)
    if owner and owner ~= web then
        local token = string.match(session, '[^:]+$')
        redis.call('PUBLISH', evictions_to .. owner, token .. ' ' .. moves)
    end
end

local function resume()
    local kept = redis.call('HMGET', session, 'owner', 'epoch', 'last', 'moves')
    local owner, found, last, known = unpack(kept)
    if not found then
        return false
    end
    local since = began(term) -- epoch.lua
    found = later(found, since)
    local answers, to, behind = {}, last, last - after
    if behind > 0 and (epoch == found or epoch == '' and found ~= since) then
        answers, to = missed(history, last, behind, tonumber(most), tonumber(bytes)) -- missed.lua
    end
    take(owner, known, found)
    return { redis.call('HGETALL', session), answers, to }
end

local read, resumed = try(resume) -- try.lua
if not read then
    forget(session, history)
end
return read and resumed
