-- Says that a web process still reads an upload, and looks for its chunks. Returns nothing when the upload is gone, else
-- a list: for each chunk 'answered', 'waiting', or 'lost' when it is in no stream and has no answer.
-- Returns 'full' when it is a large one and all uploads together take too much.
-- KEYS[1] upload   KEYS[2], KEYS[3] streams   KEYS[4] index of all   ARGV[1] web instance   ARGV[2] time to live (s)
-- ARGV[3] prefix of the uploads' keys   ARGV[4] most bytes that all uploads take   ARGV[5] bytes of a large one
-- ARGV[6..] for each chunk its number, 1 or 2 for its stream, its entry
if redis.call('HMGET', KEYS[1], 'owner')[1] ~= ARGV[1] then
    return false
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'seen', now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('EXPIRE', KEYS[1], ARGV[2])
local key, state, bytes = unpack(redis.call('HMGET', KEYS[1], 'key', 'state', 'bytes'))
if key then
    redis.call('EXPIRE', key, ARGV[2])
end
if state == 'reading' and tonumber(bytes) > tonumber(ARGV[5]) then
    local taken = 0
    for _, id in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
        taken = taken + (redis.call('HMGET', ARGV[3] .. id, 'bytes')[1] or 0)
    end
    if taken > tonumber(ARGV[4]) then
        return 'full'
    end
end
local states = {}
for i = 6, #ARGV, 3 do
    if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
        states[#states + 1] = 'answered'
    elseif #redis.call('XRANGE', KEYS[1 + ARGV[i + 1]], ARGV[i + 2], ARGV[i + 2]) == 1 then
        states[#states + 1] = 'waiting'
    else
        states[#states + 1] = 'lost'
    end
end
return states
