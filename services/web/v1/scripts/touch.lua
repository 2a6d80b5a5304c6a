-- Renews sessions whose sockets a web process holds. Returns for each {epoch, last, moves, 1 if it is this
-- process' own, else 0}, nil for what is not there, or cannot be read and goes. One step for many sessions;
-- each is one of its own, since its owner must not change between the look and the renewal.
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
    -- wrong one. Where a Redis that was set back gave a number of moves twice, the one that it names stays:
    -- else each would take the session from the other, for ever.
    if tonumber(known) > tonumber(moves) or known == moves and not owner then
        redis.call('HSET', session, 'owner', web, 'moves', known)
        owner, moves = web, known
    end
    renew(session, history)
    return { later(epoch, since), last, moves, owner == web and 1 or 0 }
end

local states = {}
for i, known in ipairs(moves_known) do
    local session, history = KEYS[2 * i - 1], KEYS[2 * i]
    local read, state = try(touch, session, history, known) -- try.lua
    if not read then
        forget(session, history)
    end
    states[i] = read and state
end
return states
