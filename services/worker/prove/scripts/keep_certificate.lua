-- Keeps a certificate in the share of those that were asked for or of the others, and lets the oldest of
-- that share go while they take too much; in one step, so that the bound holds whoever else keeps one. One
-- that was asked for stays in that share, whoever proves the number again. Returns the bytes of the share,
-- which may be above the bound if this one alone is. It looks at no more of the others than it lets go.
-- The keys of the others are their SHA-256 behind `certificates`, a prefix.
local certificate, asked, unasked, sizes, former = unpack(KEYS)
-- asked, unasked: sorted sets of "SHA256 BYTES" by time; some may have expired · sizes: hash, bytes by share
-- former: what the former release keeps in their place, without an end
local share, sha256, ttl, most, certificates, primo, pari, extra = unpack(ARGV)
-- share: 'asked' or 'unasked' · ttl: seconds to keep it · most: bytes of the share · primo, pari: its text in
-- both formats, compressed · extra: bytes that Redis takes beside them
local bytes = #primo + #pari + extra
local member = sha256 .. ' ' .. bytes
local now = now_ms() -- clock.lua
local sets = { asked = asked, unasked = unasked }

local function withdraw(from)
    if redis.call('ZREM', sets[from], member) == 1 then
        redis.call('HINCRBY', sizes, from, -bytes)
    end
end

-- Whether the oldest of the share goes, since it has expired or they take too much.
local function forget_oldest(taken)
    local oldest, time = unpack(redis.call('ZRANGE', sets[share], 0, 0, 'WITHSCORES'))
    if oldest == member or taken <= tonumber(most) and tonumber(time) > now - ttl * 1000 then
        return false
    end
    local hash, size = string.match(oldest, '^(%S+) (%d+)$')
    redis.call('ZREM', sets[share], oldest)
    redis.call('EXPIRE', certificates .. hash, 0) -- in the past: deletes it
    return redis.call('HINCRBY', sizes, share, -size)
end

if share == 'unasked' and redis.call('ZSCORE', asked, member) then
    share = 'asked'
end
withdraw('asked')
withdraw('unasked')
redis.call('HSET', certificate, 'primo', primo, 'pari', pari, 'bytes', bytes)
redis.call('EXPIRE', certificate, ttl)
redis.call('ZADD', sets[share], now, member)
local taken = redis.call('HINCRBY', sizes, share, bytes)
local less = forget_oldest(taken)
while less do
    taken = less
    less = forget_oldest(taken)
end
for _, key in ipairs({ asked, unasked, sizes }) do -- all at once, so that sizes never outlive what they count
    redis.call('EXPIRE', key, ttl)
end
redis.call('EXPIRE', former, ttl, 'NX')
return taken
