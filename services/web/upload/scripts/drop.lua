-- Deletes an upload with all its answers; or only says that it was interrupted, when an idempotency key can begin it again.
-- Returns 1, or 0 when there is none, or (for `owner`) when it is another's.
-- KEYS[1] upload   KEYS[2] index of all   ARGV[1] id   ARGV[2] owner, or '' for whoever has the id   ARGV[3] channel prefix
local state, owner, key = unpack(redis.call('HMGET', KEYS[1], 'state', 'owner', 'key'))
if not state or (ARGV[2] ~= '' and owner ~= ARGV[2]) then
    return 0
end
if key and ARGV[2] ~= '' then
    redis.call('HSET', KEYS[1], 'state', 'interrupted')
    return 1
end
redis.call('EXPIRE', KEYS[1], 0) -- in the past: deletes it, and leaves freeing the memory to another thread (redis.conf)
if key and redis.call('HMGET', key, 'id')[1] == ARGV[1] then
    redis.call('EXPIRE', key, 0)
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('PUBLISH', ARGV[3] .. owner, ARGV[1])
return 1
