-- Says that an upload was read to its end: from now on it needs its web process no more.
-- Returns 1; 0 when it is gone or another process' now.
-- One step: the hash of an upload that goes in between would come back with these fields alone.
-- It touches the idempotency key that the upload's hash names.
local upload = KEYS[1]
local web, ttl, lines, answers, fingerprint = unpack(ARGV) -- ttl: s

local owner, key = unpack(redis.call('HMGET', upload, 'owner', 'key'))
if owner ~= web then
    return 0
end
redis.call('HSET', upload, 'state', 'read', 'lines', lines, 'answers', answers, 'fingerprint', fingerprint)
redis.call('EXPIRE', upload, ttl)
if key then
    redis.call('EXPIRE', key, ttl)
end
return 1
