-- Renews sessions whose sockets a web process holds. Returns for each {epoch, last, moves}, nil for what is
-- not there. One step for many sessions; each is one of its own, since its owner must not change between the
-- look and the renewal.
-- KEYS: of each session its hash and its history.   ARGV: as named here, then of each session the moves that
-- are known.
local web, lifetime, term = unpack(ARGV, 1, 3)
local moves_known = { unpack(ARGV, 4) }
local since = began(term) -- epoch.lua

local function renew(session, history)
    -- not every second: each renewal is written to disk
    if redis.call('PTTL', session) * 6 < lifetime * 5000 then
        redis.call('EXPIRE', session, lifetime)
        redis.call('EXPIRE', history, lifetime)
    end
end

local function touch(session, history, known)
    local epoch, last, moves, owner = unpack(redis.call('HMGET', session, 'epoch', 'last', 'moves', 'owner'))
    if not epoch then
        return false
    end
    -- A hash that was lost with Redis' data and made again by another web process knows no owner, or the
    -- wrong one.
    if tonumber(known) >= tonumber(moves) and (owner ~= web or known ~= moves) then
        redis.call('HSET', session, 'owner', web, 'moves', known)
        moves = known
    end
    renew(session, history)
    return { later(epoch, since), last, moves }
end

local states = {}
for i, known in ipairs(moves_known) do
    states[i] = touch(KEYS[2 * i - 1], KEYS[2 * i], known)
end
return states
