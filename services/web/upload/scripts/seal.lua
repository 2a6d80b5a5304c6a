-- Says that an upload was read to its end: from now on it needs its web process no more. Returns 1; 0 when
-- it is gone or another process' now, or when a Redis that came back older lacks outcomes, with which it
-- goes: a chunk has its outcome here, or is one of those that the web process looks for. One step: a hash of
-- an upload that goes in between would come back with these fields alone. It touches the idempotency key that
-- the upload's hash names.
local upload, known = unpack(KEYS)
local web, ttl, lines, answers, fingerprint, queued = unpack(ARGV) -- ttl: s; queued: chunks
local pending = cmsgpack.unpack(ARGV[7]) -- numbers of the chunks whose outcomes it has not heard of
local reading_bytes, form = unpack(ARGV, 8) -- bytes that an upload counts for while it is read; its form

local owner, key, stored, bytes, state, client = unpack(
    redis.call('HMGET', upload, 'owner', 'key', 'stored', 'bytes', 'state', 'client')
)
if owner ~= web then
    return 0
end
local without = 0 -- chunks that have no outcome yet
for _, number in ipairs(pending) do
    without = without + 1 - redis.call('HEXISTS', upload, number)
end
if stored + without < tonumber(queued) then
    redis.call('EXPIRE', upload, 0) -- in the past: deletes it
    return 0
end
if state == 'reading' then
    take_more(known, client, math.min(0, bytes - reading_bytes)) -- taken.lua
end
redis.call('HSET', upload, 'state', 'read', 'lines', lines, 'answers', answers, 'fingerprint', fingerprint)
redis.call('HSET', upload, 'chunks', queued, 'form', form)
redis.call('EXPIRE', upload, ttl)
if key then
    redis.call('EXPIRE', key, ttl)
end
return 1
