-- Appends a chunk's entry to its lane, and rings the lane's bell if no worker is sure to be awake.
-- Returns the entry's id; '' when the stream is full; nothing when the upload is gone or another process'.
-- One step: what was deleted in between would leave a chunk in its lane that nobody follows.
local stream, upload = unpack(KEYS)
local consumers, bell, most_entries, web = unpack(ARGV) -- bell: '' for none
local id, number, chunk, turn = unpack(ARGV, 5) -- of the upload; of the chunk, in it; MessagePack
-- turn: '' in the quick lane
local origins = ARGV[9] -- of the chunk's numbers, which is kept with its outcome; '' for none
local OVERHEAD = 64 -- bytes of a field besides what is in it; a guess

local owner, chunks = unpack(redis.call('HMGET', upload, 'owner', 'chunks'))
if owner ~= web then
    return false
end
local length = redis.call('XLEN', stream)
if length >= tonumber(most_entries) then
    return ''
end
local rings = bell ~= '' and waiting(stream, consumers, length) <= 0 -- waiting.lua
local fields = { 'reply', web, 'upload', id, 'chunk', chunk }
if turn ~= '' then
    fields[7], fields[8] = 'turn', turn
end
local entry = redis.call('XADD', stream, '*', unpack(fields))
if turn ~= '' then
    wait_turn(stream, entry, turn) -- turns.lua
end
if tonumber(chunks) <= tonumber(number) then -- not one that is sent again
    redis.call('HSET', upload, 'chunks', number + 1)
    if origins ~= '' then
        redis.call('HSET', upload, 'o' .. number, origins)
        redis.call('HINCRBY', upload, 'bytes', #origins + OVERHEAD)
    end
end
if rings then
    redis.call('PUBLISH', bell, '')
end
return entry
