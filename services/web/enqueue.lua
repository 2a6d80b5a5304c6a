-- Appends as many stream entries as there is room for, the first ones first, and rings the bell if no worker is sure
-- to be awake. Returns the ids of those that it appended.
-- In the same step it marks their sessions' requests as in flight: what is marked is in the stream, and will be answered.
-- KEYS[1] stream   KEYS[2..] for each session its hash and its answers
-- ARGV[1] consumer group   ARGV[2] bell channel   ARGV[3] most entries in the stream   ARGV[4] web instance to reply to
-- ARGV[5] sessions' time to live (s)   ARGV[6] number of entries   then one MessagePack batch an entry
-- then for each session: 1 if this web process holds its socket, number of requests, and for each its entry, job, id, and 0, or for a job
-- that Redis lost and nobody here waits for when it had it (ms since 1970): in a session that was made later its client asks again
local stream = KEYS[1]
local lane = string.match(stream, '[^:]+$')
local batches = tonumber(ARGV[6])
local length = redis.call('XLEN', stream)
local last = math.min(batches, tonumber(ARGV[3]) - length)
if last < 1 then
    return {}
end

local unclaimed = waiting(stream, ARGV[1], length) -- waiting.lua
local ids = {}
for i = 7, 6 + last do
    ids[#ids + 1] = redis.call('XADD', stream, '*', 'reply', ARGV[4], 'jobs', ARGV[i])
end
if unclaimed <= 0 then
    redis.call('PUBLISH', ARGV[2], '')
end

-- Makes the session's hash if it is not there, and keeps it.
local function open(session, epoch, held)
    if not epoch then
        local now = redis.call('TIME')
        epoch = now[1] .. string.format('%03d', math.floor(now[2] / 1000))
        redis.call('HSET', session, 'epoch', epoch, 'last', 0, 'moves', 0, 'ttl', ARGV[5])
        if held then
            redis.call('HSET', session, 'owner', ARGV[4])
        end
    end
    redis.call('EXPIRE', session, ARGV[5])
    return epoch
end

local at = 7 + batches
for k = 2, #KEYS, 2 do
    local session, requests = KEYS[k], tonumber(ARGV[at + 1])
    local epoch, opened = redis.call('HGET', session, 'epoch'), false
    for i = at + 2, at + 1 + 4 * requests, 4 do
        local entry, job, request, before = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
        if entry <= last and (before == 0 or epoch and tonumber(epoch) <= before) then
            if not opened then
                epoch, opened = open(session, epoch, ARGV[at] == '1'), true
                redis.call('EXPIRE', KEYS[k + 1], ARGV[5])
            end
            -- what was answered is not asked again: this job's answer will find no mark and be dropped
            if redis.call('HEXISTS', session, '=' .. request) == 0 then
                redis.call('HSET', session, '?' .. request, table.concat({ lane, ids[entry], ARGV[4], job }, ' '))
            end
        end
    end
    at = at + 2 + 4 * requests
end
return ids
