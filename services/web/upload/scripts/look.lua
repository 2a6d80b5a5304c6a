-- Tells where an upload stands, with outcomes from the chunk `first` on: at most `count`, up to the first
-- that has none.
-- Returns {'reading', chunks, outcomes}, {'interrupted', chunks, outcomes} or {'read', chunks, outcomes,
-- lines, answers, form}, where `chunks` is how many were queued, and the origins of each outcome's numbers
-- come after it ('' for none); nothing when the upload is gone.
-- Renews its time to live, once it is not read any more, when a third is over: each renewal is written to
-- disk.
-- One step: outcomes and state belong together, or a list would end too early.
-- It touches the idempotency key that the upload's hash names.
local upload = KEYS[1]
local lease, first, count = unpack(ARGV) -- lease: ms

local state, seen, ttl, key, chunks, lines, answers, form =
    unpack(redis.call('HMGET', upload, 'state', 'seen', 'ttl', 'key', 'chunks', 'lines', 'answers', 'form'))
if not state then
    return false
end
if state == 'reading' then
    if not is_attended(upload, seen, lease) then -- attended.lua
        state = 'interrupted'
    end
elseif redis.call('TTL', upload) * 3 < ttl * 2 then
    redis.call('EXPIRE', upload, ttl)
    if key then
        redis.call('EXPIRE', key, ttl)
    end
end

local outcomes = {}
for number = tonumber(first), first + count - 1 do
    local outcome, origins = unpack(redis.call('HMGET', upload, number, 'o' .. string.format('%d', number)))
    if not outcome then
        break
    end
    outcomes[#outcomes + 1] = outcome
    outcomes[#outcomes + 1] = origins or ''
end
if state == 'read' then
    return { state, chunks, outcomes, lines, answers, form or '' }
end
return { state, chunks, outcomes }
