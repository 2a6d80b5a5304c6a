-- Keeps a certificate, and lets the oldest go while all together take too much; in one step, so that the
-- bound holds whoever else keeps one. Returns the bytes of all that it found and this one, which may be above
-- the bound if it let some go. The keys of the others are their SHA-256 behind `certificates`, a prefix.
local certificate, kept = unpack(KEYS) -- kept: sorted set of those that are there
local sha256, ttl, most, certificates, primo, pari = unpack(ARGV)
-- ttl: seconds to keep it · most: bytes of all together · primo, pari: its text in both formats, compressed
local bytes = #primo + #pari

-- `taken`: bytes of what stays whatever happens. Returns the bytes of all.
local function forget_oldest(taken)
    local others = redis.call('ZRANGE', kept, 0, -1)
    for i = #others, 1, -1 do -- the newest first
        local size = redis.call('HGET', certificates .. others[i], 'bytes')
        taken = taken + (size or 0)
        if not size or taken > tonumber(most) then
            redis.call('EXPIRE', certificates .. others[i], 0) -- in the past: deletes it
            redis.call('ZREM', kept, others[i])
        end
    end
    return taken
end

redis.call('HSET', certificate, 'primo', primo, 'pari', pari, 'bytes', bytes)
redis.call('EXPIRE', certificate, ttl)
redis.call('ZREM', kept, sha256)
local taken = forget_oldest(bytes)
redis.call('ZADD', kept, now_ms(), sha256) -- clock.lua
return taken
