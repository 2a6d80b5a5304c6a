-- Begins an upload, unless its idempotency key has one already or the kept ones take too much.
-- Returns {'begun'}, {'full'}, {'reading', id} while another process reads the key's upload, {'kept', id, fingerprint} after that.
-- KEYS[1] upload   KEYS[2] index of all   KEYS[3] idempotency key, or none
-- ARGV[1] id   ARGV[2] web instance   ARGV[3] time to live (s)   ARGV[4] the same while it is read (s)   ARGV[5] prefix of the uploads' keys
-- ARGV[6] most bytes that all uploads together take   ARGV[7] bytes that count for one that is being read
-- ARGV[8] ms after which an upload that nobody reads on is interrupted   ARGV[9] bytes that count for the smallest
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)

local former = KEYS[3] and redis.call('HMGET', KEYS[3], 'id')[1]
if former then
    local state, seen, fingerprint = unpack(redis.call('HMGET', ARGV[5] .. former, 'state', 'seen', 'fingerprint'))
    if state == 'read' then
        return { 'kept', former, fingerprint }
    elseif state == 'reading' and now - seen <= tonumber(ARGV[8]) then
        return { 'reading', former }
    elseif state then -- interrupted: a new one takes its place
        redis.call('EXPIRE', ARGV[5] .. former, 0)
    end
end

local taken = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    local state, bytes = unpack(redis.call('HMGET', ARGV[5] .. id, 'state', 'bytes'))
    if state then
        taken = taken + (state == 'reading' and math.max(bytes, ARGV[7]) or bytes)
    else -- it has expired
        redis.call('ZREM', KEYS[2], id)
    end
end
if taken + ARGV[7] > tonumber(ARGV[6]) then
    return { 'full' }
end

redis.call(
    'HSET', KEYS[1], 'state', 'reading', 'owner', ARGV[2], 'seen', now, 'ttl', ARGV[3], 'chunks', 0, 'stored', 0,
    'bytes', ARGV[9]
)
if KEYS[3] then
    redis.call('HSET', KEYS[1], 'key', KEYS[3])
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    redis.call('HSET', KEYS[3], 'id', ARGV[1])
    redis.call('EXPIRE', KEYS[3], ARGV[3])
else
    redis.call('EXPIRE', KEYS[1], ARGV[4])
end
redis.call('ZADD', KEYS[2], now, ARGV[1])
return { 'begun' }
