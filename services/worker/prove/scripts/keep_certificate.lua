-- Keeps a certificate, and lets the oldest go while all together take too much.
-- KEYS[1] certificate   KEYS[2] sorted set of those that are kept   ARGV[1] SHA-256   ARGV[2] seconds to keep it   ARGV[3] most bytes
-- ARGV[4] prefix of the certificates' keys   ARGV[5], ARGV[6] text in Primo's and in PARI's format, compressed
local now = redis.call('TIME')
local bytes = #ARGV[5] + #ARGV[6]
redis.call('HSET', KEYS[1], 'primo', ARGV[5], 'pari', ARGV[6], 'bytes', bytes)
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[1])
local taken = bytes
local others = redis.call('ZRANGE', KEYS[2], 0, -1)
for i = #others, 1, -1 do -- the newest first
    local size = redis.call('HGET', ARGV[4] .. others[i], 'bytes')
    taken = taken + (size or 0)
    if not size or taken > tonumber(ARGV[3]) then
        redis.call('EXPIRE', ARGV[4] .. others[i], 0) -- in the past: deletes it (as in upload_drop.lua)
        redis.call('ZREM', KEYS[2], others[i])
    end
end
redis.call('ZADD', KEYS[2], now[1] .. string.format('%03d', math.floor(now[2] / 1000)), ARGV[1])
return taken
