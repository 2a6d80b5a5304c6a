-- Appends as many entries to a lane's stream as there is room for, the first ones first.
-- Returns of each quick entry its id, and of each costly one {lane, id, how, so_far}:
--   how ''        it is a new run, and the bell was rung if no worker is sure to be awake, or if it is short,
--                 since a child may be spared for it
--   how 'joined'  the question's run is under way, and its answer will be this job's too
--   how 'known'   the answer is kept, and the job went to the quick lane with it
--   so_far        what is known of a run that was joined (MessagePack), or ''
-- A list that is shorter than the entries says that there was no room for the others.
-- Quick entries need no bell, since workers wait for them in Redis.
-- One step with the marks of sessions' requests: what is marked is in a stream, and will be answered.
--
-- KEYS: the lane's stream, the quick lane's, of each costly entry its question's hash, of each session its
-- hash and its history. Derived from prefixes: the stream that a question names, its askers' hash, the
-- certificate's of a kept answer.
-- ARGV: a MessagePack map (services/web/queue/enqueue.py says of what), then of each quick entry its batch of
-- jobs, of each costly one its batch, the field of its asker, the asker (MessagePack each), and its turn
-- (turns.lua)
local ask = cmsgpack.unpack(ARGV[1])
local stream, quick = KEYS[1], KEYS[2]
local length = redis.call('XLEN', stream)
local last = math.min(ask.entries, ask.most_entries - length) -- entry that there is room for

if last < 1 then
    return {}
end
local places = {}
if ask.questions == 0 then
    for i = 1, last do
        places[i] = redis.call('XADD', stream, '*', 'reply', ask.web, 'jobs', ARGV[1 + i])
    end
    if #KEYS == 2 then -- nothing to mark; to make the functions below would cost a tenth of the call
        return places
    end
end

-- Sends a job to the quick lane with its kept answer; nil when that names a certificate that was let go: a
-- new one is made.
local function reuse(question, answer, certificate, batch)
    if certificate ~= '' and redis.call('EXISTS', ask.runs.certificates .. certificate) == 0 then
        redis.call('HDEL', question, 'answer', 'certificate')
        return nil
    end
    local id = redis.call('XADD', quick, '*', 'reply', ask.web, 'jobs', batch, 'known', answer)
    return { 'quick', id, 'known', '' }
end

-- Adds an asker to the run that a question names; nil when there is none, or as many as may wait for it wait
-- already.
local function join(run, so_far, field, asker, turn)
    local lane, id = string.match(run or '', '^(%S+) (%S+)$')
    local entry = lane and redis.call('XRANGE', ask.runs.streams .. lane, id, id)[1]
    if not entry then
        return nil
    end
    local askers = ask.runs.askers .. lane .. ':' .. id
    if redis.call('HLEN', askers) >= ask.runs.most_askers then
        return nil
    end
    redis.call('HSET', askers, field, asker)
    join_turn(ask.runs.streams .. lane, id, turn_of(entry[2]), turn)
    return { lane, id, 'joined', so_far or '' }
end

-- The place of a question that somebody asked before; nil where it has to be computed.
local function find(question, batch, field, asker, turn)
    local known = redis.call('HMGET', question, 'entry', 'so_far', 'answer', 'certificate')
    local run, so_far, answer, certificate = unpack(known)
    return answer and reuse(question, answer, certificate, batch) or join(run, so_far, field, asker, turn)
end

local function begin(question, batch, field, asker, turn)
    local digest = string.match(question, '[^:]+$')
    local fields = { 'reply', ask.web, 'jobs', batch, 'question', digest, 'turn', turn }
    local id = redis.call('XADD', stream, '*', unpack(fields))
    wait_turn(stream, id, turn)
    redis.call('HSET', question, 'entry', ask.lane .. ' ' .. id)
    redis.call('HDEL', question, 'so_far')
    redis.call('EXPIRE', question, ask.runs.question_ttl)
    redis.call('HSET', ask.runs.askers .. ask.lane .. ':' .. id, field, asker)
    return { ask.lane, id, '', '' }
end

local function append_costly()
    local wakes = false
    local unclaimed = waiting(stream, ask.runs.consumers, length) -- waiting.lua
    for i = 1, last do
        local batch, field, asker, turn = unpack(ARGV, 4 * i - 2, 4 * i + 1)
        local read, place = try(find, KEYS[2 + i], batch, field, asker, turn) -- try.lua
        if not read then
            forget(KEYS[2 + i])
        end
        places[i] = read and place
        if not places[i] then
            places[i] = begin(KEYS[2 + i], batch, field, asker, turn)
            local _, _, cost = read_turn(turn)
            wakes = wakes or unclaimed <= 0 or cost <= ask.runs.short
        end
    end
    if wakes then
        redis.call('PUBLISH', ask.bell, '')
    end
end

local located = {} -- of each entry what `locate` said: its jobs are many

-- Where an entry is and whose it is, as a session's mark says it.
local function locate(entry)
    if not located[entry] then
        local place = places[entry]
        local at = ask.questions == 0 and ask.lane .. ' ' .. place or place[1] .. ' ' .. place[2]
        located[entry] = at .. ' ' .. ask.web .. ' '
    end
    return located[entry]
end

-- When a session begins (ms since 1970), and the fields of its hash. `held`: 1 if this web process holds its
-- socket. That is later than the term: while the clock is not (term.lua), by the count of sessions that were
-- made since, so that one that is lost and made anew does not go on in the same epoch.
local function open(held)
    local now, since = now_ms(), tonumber(began(ask.term)) -- clock.lua, epoch.lua
    local ahead = now <= since and redis.call('HINCRBY', ask.term, 'made', 1)
    local epoch = string.format('%.0f', ahead and since + ahead or now)
    local fields = { 'epoch', epoch, 'last', 0, 'moves', 0, 'ttl', ask.lifetime }
    if held == 1 then
        fields[9], fields[10] = 'owner', ask.web
    end
    return epoch, fields
end

-- The fields of a session's requests behind its epoch, and what they hold: of each session one read, however
-- many requests.
local function read(session, first, count)
    local fields = { 'epoch' }
    for n = 1, count do
        fields[n + 1] = '?' .. ask.marks[first + 4 * n - 2]
    end
    return fields, redis.call('HMGET', session, unpack(fields))
end

-- Marks a session's requests, four fields of `ask.marks` each from `first` on: the entry, the job, the
-- request's id, and 0, or for a job that Redis lost and nobody here waits for when it had it (ms since 1970):
-- in a session that was made later, or in a later term (epoch.lua), its client asks again.
local function mark(session, history, held, first, count)
    local fields, known = read(session, first, count)
    local epoch, set = known[1], {}
    for n = 1, count do
        local entry, job, _, lost = unpack(ask.marks, first + 4 * n - 4, first + 4 * n - 1)
        if entry <= last and (lost == 0 or epoch and tonumber(later(epoch, began(ask.term))) <= lost) then
            if not epoch then
                epoch, set = open(held)
            end
            -- what was answered is not asked again: this job's answer will find no mark and be dropped
            if not tonumber(known[n + 1] or '') then
                set[#set + 1] = fields[n + 1]
                set[#set + 1] = locate(entry) .. job
            end
        end
    end
    if #set > 0 then -- one write
        redis.call('HSET', session, unpack(set))
    end
    if epoch and not known[1] then -- `touch` renews it
        redis.call('EXPIRE', session, ask.lifetime)
        redis.call('EXPIRE', history, 0) -- in the past: deletes what is left of a session that was lost
    end
end

if ask.questions > 0 then
    append_costly()
end
local at = 1 -- in ask.marks
for k = 3 + ask.questions, #KEYS, 2 do
    local held, count = ask.marks[at], ask.marks[at + 1]
    if not try(mark, KEYS[k], KEYS[k + 1], held, at + 2, count) then -- unreadable: its client asks again
        forget(KEYS[k], KEYS[k + 1])
        mark(KEYS[k], KEYS[k + 1], held, at + 2, count)
    end
    at = at + 2 + 4 * count
end
return places
