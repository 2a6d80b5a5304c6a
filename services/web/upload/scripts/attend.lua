-- Says that a web process still reads or follows an upload, and looks for its chunks.
-- Returns a list, for each chunk 'answered', 'waiting', or 'lost' when it is in no stream and has no
-- outcome; 'full' when it is a large one and all uploads together take too much, or its client's more than
-- half of that; nothing when it is gone
-- or another process' now. One that lacks what it had, since Redis came back older, goes too: chunks that its
-- web process knows to be answered would never be sent again, and who waits is told that all is lost.
-- One step: a chunk that a worker stores in between would be taken for lost, and computed again.
-- It touches the idempotency key that the upload's hash names, and derives the keys of all uploads from
-- their prefix.
local upload, index, quick, heavy = unpack(KEYS)
local web, ttl, prefix, most_bytes, large_bytes = unpack(ARGV) -- ttl: s
local chunks = cmsgpack.unpack(ARGV[6]) -- number, lane, entry of each
local answered, sealed = tonumber(ARGV[7]), ARGV[8] == '1' -- what the web process knows of it
local streams = { quick = quick, heavy = heavy }

local owner, key, state, bytes, stored, client = unpack(
    redis.call('HMGET', upload, 'owner', 'key', 'state', 'bytes', 'stored', 'client')
)
if owner ~= web then
    return false
end
if tonumber(stored) < answered or sealed and state ~= 'read' then
    redis.call('EXPIRE', upload, 0) -- in the past: deletes it
    return false
end
redis.call('HSET', upload, 'seen', now_ms()) -- clock.lua
redis.call('EXPIRE', upload, ttl)
if key then
    redis.call('EXPIRE', key, ttl)
end

if state == 'reading' and tonumber(bytes) > tonumber(large_bytes) then
    local sum, shares = count_uploads(index, prefix, 0) -- count.lua
    if sum > tonumber(most_bytes) or (client and shares[client] > most_bytes / 2) then
        return 'full'
    end
end

local function look_for(number, lane, entry)
    if redis.call('HEXISTS', upload, number) == 1 then
        return 'answered'
    end
    return #redis.call('XRANGE', streams[lane], entry, entry) == 1 and 'waiting' or 'lost'
end

local states = {}
for i, chunk in ipairs(chunks) do
    states[i] = look_for(unpack(chunk))
end
return states
