-- Appends as many stream entries as there is room for, the first ones first. Returns their ids.
-- Of costly questions it returns for each {lane, id, '' or 'joined' or 'known', what is known so far or ''}, and it rings the bell if
-- no worker is sure to be awake; quick entries need no bell, since workers wait for them in Redis.
-- A costly question whose run is under way joins it; one whose answer is kept goes to the quick lane with it.
-- In the same step it marks their sessions' requests as in flight: what is marked is in a stream, and will be answered.
-- KEYS[1] stream   KEYS[2] stream of the quick lane   KEYS[3..] for each question its hash   then for each session its hash and its history
-- ARGV[1] consumer group   ARGV[2] the lane's bell   ARGV[3] most entries in the stream   ARGV[4] web instance to reply to
-- ARGV[5] sessions' lifetime (s)   ARGV[6] prefix of the askers' keys   ARGV[7] most askers of a run   ARGV[8] seconds to keep a question
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

local places = {}
if questions == 0 then
    for i = 1, last do
        places[i] = redis.call('XADD', stream, '*', 'reply', web, 'jobs', ARGV[11 + i])
    end
else
    local bell = false
    local unclaimed = waiting(stream, ARGV[1], length) -- waiting.lua
    for i = 1, last do
        local batch = ARGV[11 + i]
        local job, asker = ARGV[10 + batches + 2 * i], ARGV[11 + batches + 2 * i]
        local place = find(KEYS[2 + i], batch, job, asker)
        if not place then
            local digest = string.match(KEYS[2 + i], '[^:]+$')
            local id = redis.call('XADD', stream, '*', 'reply', web, 'jobs', batch, 'question', digest)
            place = { lane, id, '', '' }
            redis.call('HSET', KEYS[2 + i], 'entry', lane .. ' ' .. id)
            redis.call('HDEL', KEYS[2 + i], 'so_far')
            redis.call('EXPIRE', KEYS[2 + i], ARGV[8])
            redis.call('HSET', ARGV[6] .. lane .. ':' .. id, web .. ' ' .. job, asker)
            bell = bell or unclaimed <= 0
        end
        places[i] = place
    end
    if bell then
        redis.call('PUBLISH', ARGV[2], '')
    end
end

-- Where an entry is, as a session's mark says it.
local function locate(place)
    return questions == 0 and lane .. ' ' .. place or place[1] .. ' ' .. place[2]
end

-- of each session one read and one write, however many requests
local at = 12 + batches + 2 * questions
for k = 3 + questions, #KEYS, 2 do
    local session, requests = KEYS[k], tonumber(ARGV[at + 1])
    local fields = { 'epoch' }
    for n = 1, requests do
        fields[n + 1] = '?' .. ARGV[at + 4 * n]
    end
    local known = redis.call('HMGET', session, unpack(fields))
    local epoch, set = known[1], {}
    for n = 1, requests do
        local i = at + 4 * n - 2
        local entry, before = tonumber(ARGV[i]), tonumber(ARGV[i + 3])
        if entry <= last and (before == 0 or epoch and tonumber(epoch) <= before) then
            if not epoch then -- the session is new
                local now = redis.call('TIME')
                epoch = now[1] .. string.format('%03d', math.floor(now[2] / 1000))
                set = { 'epoch', epoch, 'last', 0, 'moves', 0, 'ttl', ARGV[5] }
                if ARGV[at] == '1' then
                    set[9], set[10] = 'owner', web
                end
            end
            -- what was answered is not asked again: this job's answer will find no mark and be dropped
            if not tonumber(known[n + 1] or '') then
                set[#set + 1] = '?' .. ARGV[i + 2]
                set[#set + 1] = locate(places[entry]) .. ' ' .. web .. ' ' .. ARGV[i + 1]
            end
        end
    end
    if #set > 0 then
        redis.call('HSET', session, unpack(set))
    end
    if epoch and not known[1] then -- `touch` and each answer renew it
        redis.call('EXPIRE', session, ARGV[5])
        redis.call('EXPIRE', KEYS[k + 1], 0) -- in the past: deletes what is left of a session that was lost
    end
    at = at + 2 + 4 * requests
end
return places
