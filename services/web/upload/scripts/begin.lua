-- Begins an upload, unless its idempotency key has one already or the kept ones take too much.
-- Returns {'begun'}; {'full', bytes of all, bytes of the client's} where these together with what the new one
-- counts for are too much: a client may take as much as is free then, so one alone takes half; {'reading',
-- id} while another process reads the key's upload; {'kept', id, fingerprint} after that.
-- One step: of two that come with one key, one begins; and what is counted is not taken twice.
-- It derives the keys of all uploads from their prefix.
local upload, index, known, idempotency = unpack(KEYS) -- the last one or none
local id, web, ttl, reading_ttl, prefix = unpack(ARGV) -- ttl: s; reading_ttl: s, without a key
-- Bytes that all uploads may take, that one counts for while it is read, that any counts for; lease: ms.
local most_bytes, reading_bytes, smallest_bytes, lease, client = unpack(ARGV, 6)
local LOOK = 1 -- s between two looks at all uploads: there may be thousands
local now = now_ms() -- clock.lua

-- The reply for an idempotency key that has an upload. One that was interrupted goes: the new one
-- takes its place.
local function former()
    local before = idempotency and redis.call('HMGET', idempotency, 'id')[1]
    if not before then
        return nil
    end
    local its = prefix .. before
    local state, seen, fingerprint = unpack(redis.call('HMGET', its, 'state', 'seen', 'fingerprint'))
    if state == 'read' then
        return { 'kept', before, fingerprint }
    elseif state == 'reading' and is_attended(its, seen, lease) then -- attended.lua
        return { 'reading', before }
    elseif state then
        redis.call('EXPIRE', its, 0) -- in the past: deletes it
    end
    return nil
end

-- Bytes of all uploads and of the client's as of the last look, with what has begun since.
local function taken()
    local read, found = try(redis.call, 'HMGET', known, '', client)
    local sum = read and tonumber(found[1])
    if sum then
        return sum, tonumber(found[2]) or 0
    end
    forget(known)
    local shares
    sum, shares = count_uploads(index, prefix, reading_bytes) -- count.lua
    redis.call('HSET', known, '', string.format('%.0f', sum))
    for name, bytes in pairs(shares) do
        redis.call('HSET', known, name, string.format('%.0f', bytes))
    end
    redis.call('EXPIRE', known, LOOK)
    return sum, shares[client] or 0
end

local reply = former()
if reply then
    return reply
end
local sum, share = taken()
if sum + share + reading_bytes > tonumber(most_bytes) then
    return { 'full', sum, share }
end
take_more(known, client, reading_bytes) -- taken.lua

redis.call('HSET', upload, 'state', 'reading', 'owner', web, 'seen', now, 'ttl', ttl)
redis.call('HSET', upload, 'chunks', 0, 'stored', 0, 'bytes', smallest_bytes, 'client', client)
redis.call('EXPIRE', upload, idempotency and ttl or reading_ttl)
if idempotency then
    redis.call('HSET', upload, 'key', idempotency)
    redis.call('HSET', idempotency, 'id', id)
    redis.call('EXPIRE', idempotency, ttl)
end
redis.call('ZADD', index, now, id)
return { 'begun' }
