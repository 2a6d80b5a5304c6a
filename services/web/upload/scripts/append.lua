-- Appends a chunk's entry to its lane and rings its bell, if it has one and no worker is sure to be awake. Returns the entry's id;
-- '' when the stream is full; nothing when the upload is gone or another process' now.
-- KEYS[1] stream   KEYS[2] upload   ARGV[1] consumer group   ARGV[2] bell channel or ''   ARGV[3] most entries in the stream
-- ARGV[4] web instance   ARGV[5] upload's id   ARGV[6] chunk's number   ARGV[7] chunk (MessagePack)
if redis.call('HMGET', KEYS[2], 'owner')[1] ~= ARGV[4] then
    return false
end
local length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[3]) then
    return ''
end
local rings = ARGV[2] ~= '' and waiting(KEYS[1], ARGV[1], length) <= 0 -- waiting.lua
local id = redis.call('XADD', KEYS[1], '*', 'reply', ARGV[4], 'upload', ARGV[5], 'chunk', ARGV[7])
if tonumber(redis.call('HMGET', KEYS[2], 'chunks')[1]) <= tonumber(ARGV[6]) then
    redis.call('HSET', KEYS[2], 'chunks', ARGV[6] + 1)
end
if rings then
    redis.call('PUBLISH', ARGV[2], '')
end
return id
