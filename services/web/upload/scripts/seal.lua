-- The upload was read to its end: from now on it needs its web process no more. Returns 1, or 0 when it is gone.
-- KEYS[1] upload   ARGV[1] web instance   ARGV[2] time to live (s)   ARGV[3] lines   ARGV[4] answers   ARGV[5] fingerprint
local owner, key = unpack(redis.call('HMGET', KEYS[1], 'owner', 'key'))
if owner ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'state', 'read', 'lines', ARGV[3], 'answers', ARGV[4], 'fingerprint', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[2])
if key then
    redis.call('EXPIRE', key, ARGV[2])
end
return 1
