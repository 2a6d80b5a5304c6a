-- Deletes an upload with all its outcomes and tells its owner; or, for an owner whose idempotency key can
-- begin it again, only says that it was interrupted. Returns 1; 0 when there is none, or when it is
-- another owner's.
-- One step: its idempotency key may belong to a new upload a moment later.
-- It touches the idempotency key that the upload's hash names, and derives the owner's channel from the
-- prefix.
local upload, index, known = unpack(KEYS)
local id, owner, notices, reading_bytes = unpack(ARGV) -- owner: '' for whoever has the id
-- reading_bytes: that an upload counts for while it is read

local state, web, key, bytes, client = unpack(
    redis.call('HMGET', upload, 'state', 'owner', 'key', 'bytes', 'client')
)
if not state or (owner ~= '' and owner ~= web) then
    return 0
end
bytes = tonumber(bytes) or 0
if state == 'reading' then
    take_more(known, client, math.min(0, bytes - reading_bytes)) -- taken.lua
end
if key and owner ~= '' then
    redis.call('HSET', upload, 'state', 'interrupted')
    return 1
end
-- In the past: deletes it, and leaves freeing the memory to another thread (redis.conf).
redis.call('EXPIRE', upload, 0)
if key and redis.call('HMGET', key, 'id')[1] == id then
    redis.call('EXPIRE', key, 0)
end
take_more(known, client, -bytes)
redis.call('ZREM', index, id)
redis.call('PUBLISH', notices .. web, id)
return 1
