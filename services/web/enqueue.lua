-- Appends as many stream entries as there is room for, the first ones first, and rings the bell if no worker is sure
-- to be awake. Returns for each entry that it took {lane, id, '' or 'joined' or 'known', what is known so far or ''}.
-- A costly question whose run is under way joins it; one whose answer is kept goes to the quick lane with it.
-- In the same step it marks their sessions' requests as in flight: what is marked is in a stream, and will be answered.
-- KEYS[1] stream   KEYS[2] stream of the quick lane   KEYS[3..] for each question its hash   then for each session its hash and its answers
-- ARGV[1] consumer group   ARGV[2] prefix of the bells' channels   ARGV[3] most entries in the stream   ARGV[4] web instance to reply to
-- ARGV[5] sessions' time to live (s)   ARGV[6] prefix of the askers' keys   ARGV[7] most askers of a run   ARGV[8] seconds to keep a question
-- ARGV[9] prefix of the certificates' keys   ARGV[10] number of entries   ARGV[11] number of questions: none, or as many as entries
-- then one MessagePack batch an entry   then for each question its job and who asks (MessagePack)
-- then for each session: 1 if this web process holds its socket, number of requests, and for each its entry, job, id, and 0, or for a job
-- that Redis lost and nobody here waits for when it had it (ms since 1970): in a session that was made later its client asks again
local stream, quick, web = KEYS[1], KEYS[2], ARGV[4]
local prefix, lane = string.match(stream, '^(.*:)([^:]+)$')
local batches, questions = tonumber(ARGV[10]), tonumber(ARGV[11])
local length = redis.call('XLEN', stream)
local last = math.min(batches, tonumber(ARGV[3]) - length)
if last < 1 then
    return {}
end

-- The place of a question that somebody asked before; nil where none is.
local function find(question, batch, job, asker)
    local entry, so_far, answer, sha256 = unpack(redis.call('HMGET', question, 'entry', 'so_far', 'answer', 'certificate'))
    if answer and (sha256 == '' or redis.call('EXISTS', ARGV[9] .. sha256) == 1) then
        local id = redis.call('XADD', quick, '*', 'reply', web, 'jobs', batch, 'known', answer)
        return { 'quick', id, 'known', '' }
    end
    if answer then -- it names a certificate that was let go: a new one is made
        redis.call('HDEL', question, 'answer', 'certificate')
    end
    local at, id = string.match(entry or '', '^(%S+) (%S+)$')
    if at and #redis.call('XRANGE', prefix .. at, id, id) == 1 then
        local askers = ARGV[6] .. at .. ':' .. id
        if redis.call('HLEN', askers) < tonumber(ARGV[7]) then
            redis.call('HSET', askers, web .. ' ' .. job, asker)
            return { at, id, 'joined', so_far or '' }
        end
    end
end

local unclaimed = waiting(stream, ARGV[1], length) -- waiting.lua
local places, bells = {}, {}
for i = 1, last do
    local batch = ARGV[11 + i]
    local job, asker = ARGV[10 + batches + 2 * i], ARGV[11 + batches + 2 * i]
    local place = questions > 0 and find(KEYS[2 + i], batch, job, asker)
    if not place then
        local digest = questions > 0 and string.match(KEYS[2 + i], '[^:]+$')
        local id = redis.call('XADD', stream, '*', 'reply', web, 'jobs', batch, unpack(digest and { 'question', digest } or {}))
        place = { lane, id, '', '' }
        if digest then
            redis.call('HSET', KEYS[2 + i], 'entry', lane .. ' ' .. id)
            redis.call('HDEL', KEYS[2 + i], 'so_far')
            redis.call('EXPIRE', KEYS[2 + i], ARGV[8])
            redis.call('HSET', ARGV[6] .. lane .. ':' .. id, web .. ' ' .. job, asker)
        end
    end
    if place[3] == 'known' or place[3] == '' and unclaimed <= 0 then
        bells[place[1]] = true
    end
    places[i] = place
end
for at in pairs(bells) do
    redis.call('PUBLISH', ARGV[2] .. at, '')
end

-- Makes the session's hash if it is not there, and keeps it.
local function open(session, epoch, held)
    if not epoch then
        local now = redis.call('TIME')
        epoch = now[1] .. string.format('%03d', math.floor(now[2] / 1000))
        redis.call('HSET', session, 'epoch', epoch, 'last', 0, 'moves', 0, 'ttl', ARGV[5])
        if held then
            redis.call('HSET', session, 'owner', web)
        end
    end
    redis.call('EXPIRE', session, ARGV[5])
    return epoch
end

local at = 12 + batches + 2 * questions
for k = 3 + questions, #KEYS, 2 do
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
                local place = places[entry]
                redis.call('HSET', session, '?' .. request, table.concat({ place[1], place[2], web, job }, ' '))
            end
        end
    end
    at = at + 2 + 4 * requests
end
return places
