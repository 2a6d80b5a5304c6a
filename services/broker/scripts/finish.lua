-- Delivers answers, acknowledges and deletes their entries. Returns {publications that nobody heard, answers
-- kept}. A session's request is answered by whoever replaces its mark, so of any number of answers one
-- counts. It is numbered and kept before the entry goes: to die in between would repeat a computation, and
-- neither lose nor repeat an answer.
-- KEYS: the stream, for each session its hash and its history, and the dead letters' stream if there are any.
-- Derived are the keys of runs that requests leave, and of entries' askers: a prefix, then the lane, or the
-- lane and the entry.
-- ARGV: what the next lines name, then lists, each after its length:
--   ids of the entries
--   channel, message of each publication to plain clients
--   lane, jobs, reason, worker of each dead letter
-- then for each session its token, its number of answers, and as many requests, web processes that asked,
-- answers (MessagePack), and flags: 1 where the request leaves a run that goes on for others.
local stream = KEYS[1]
local lane, consumers, deliveries_to, results_to, most_kept, most_letters = unpack(ARGV, 1, 6)
local streams, askers_of, questions, cancellations, term = unpack(ARGV, 7, 11)
local position = 11 -- of the last argument that was read

local KEPT = array_head(2) -- request, answer: what a history holds
local DELIVERY = array_head(6) -- session, request, web process that asked, answer, epoch, number

local function take(count)
    local first = position + 1
    position = position + count
    return { unpack(ARGV, first, position) }
end

local function take_list()
    position = position + 1
    return take(tonumber(ARGV[position]))
end

local unheard, kept = 0, 0
local since -- when the term began, once there is a session
local deliveries, results = {}, {} -- by web process, in MessagePack

local function publish(channel, message)
    if redis.call('PUBLISH', channel, message) == 0 then
        unheard = unheard + 1
    end
end

local function publish_all(prefix, by_web)
    for web, parts in pairs(by_web) do
        publish(prefix .. web, array_head(#parts) .. table.concat(parts))
    end
end

local function add(by_web, web, part)
    local parts = by_web[web]
    if parts then
        parts[#parts + 1] = part
    else
        by_web[web] = { part }
    end
end

-- A request's mark says where its job is. A quick one's entry is of others too, and done in a millisecond.
local function leave_run(mark)
    local at, entry, web, job = string.match(mark, '^(%S+) (%S+) (%S+) (%S+)')
    if at ~= 'quick' then
        local askers = askers_of .. at .. ':' .. entry
        if leave(streams .. at, consumers, questions, askers, entry, web .. ' ' .. job) then -- leave_run.lua
            redis.call('PUBLISH', cancellations, at .. ' ' .. entry)
        end
    end
end

-- The marks of those of a session's requests that are in flight, false for the others (of two answers to one
-- request the first counts); then the session's owner, epoch (of the hash) and last number.
local function read_session(session, requests)
    local fields, seen, n = {}, {}, #requests
    for i, request in ipairs(requests) do
        fields[i] = '?' .. request
    end
    fields[n + 1], fields[n + 2], fields[n + 3] = 'owner', 'epoch', 'last'
    local found = redis.call('HMGET', session, unpack(fields))
    for i, request in ipairs(requests) do
        if seen[request] or tonumber(found[i] or 0) then
            found[i] = false
        end
        seen[request] = true
    end
    return found, unpack(found, n + 1, n + 3)
end

-- Lets go of a history's first entries, and of their requests' numbers.
local function trim(session, history, count)
    local outdated = redis.call('LPOP', history, count)
    for i, entry in ipairs(outdated) do
        local _, request = cmsgpack.unpack_one(entry, #KEPT)
        outdated[i] = '?' .. request
    end
    redis.call('HDEL', session, unpack(outdated))
end

-- An answer renews nothing: a session ends its time to live after its socket, whatever is answered meanwhile.
local function write_session(session, history, entries, numbers, last)
    if #entries == 0 then
        return
    end
    kept = kept + #entries
    local length = redis.call('RPUSH', history, unpack(entries))
    redis.call('HSET', session, 'last', last, unpack(numbers))
    if length > tonumber(most_kept) then
        trim(session, history, length - most_kept)
    end
    if length == #entries then -- it is new: it goes with its session, within a second
        redis.call('EXPIRE', history, math.max(math.ceil(redis.call('PTTL', session) / 1000), 1))
    end
end

-- Numbers, keeps and delivers the answers to those requests of a session that are in flight: of it one read
-- and one write, however many.
local function answer_session(session, history, token, requests, askers, answers, leaving)
    local marks, owner, epoch, number = read_session(session, requests)
    local head, middle = DELIVERY .. cmsgpack.pack(token), cmsgpack.pack(tonumber(later(epoch, since)))
    local entries, numbers, parts, left = {}, {}, {}, {}
    for i, request in ipairs(requests) do
        local mark, web, answer = marks[i], askers[i], answers[i]
        if mark then
            local named = cmsgpack.pack(request)
            number = number + 1
            entries[#entries + 1] = KEPT .. named .. answer
            numbers[#numbers + 1], numbers[#numbers + 2] = '?' .. request, number
            if owner then
                local tail = middle .. cmsgpack.pack(number)
                parts[#parts + 1] = head .. named .. cmsgpack.pack(web) .. answer .. tail
            end
            if leaving[i] == '1' then
                left[#left + 1] = mark
            end
        end
    end
    write_session(session, history, entries, numbers, number)
    return marks, owner, parts, left
end

-- What is to be told of these answers, once the session has them.
local function tell_session(marks, owner, parts, askers, answers, leaving)
    for _, part in ipairs(parts) do
        add(deliveries, owner, part)
    end
    for i, web in ipairs(askers) do
        -- Its ledger holds the job, whoever holds the client now. One that cannot be withdrawn was answered
        -- before, or Redis lost its mark: then its ledger must keep it.
        if marks[i] and web ~= owner or not marks[i] and leaving[i] ~= '1' then
            add(results, web, answers[i])
        end
    end
end

-- A session that cannot be read is lost, as with Redis' data: its client is told to ask again.
local function end_requests(session, history, token, requests, askers, answers, leaving)
    local read, done = try(function()
        return { answer_session(session, history, token, requests, askers, answers, leaving) }
    end)
    local marks, owner, parts, left = unpack(read and done or { {}, nil, {}, {} }, 1, 4)
    if not read then
        forget(session, history)
    end
    tell_session(marks, owner, parts, askers, answers, leaving)
    for _, mark in ipairs(left) do
        try(leave_run, mark) -- try.lua
    end
end

local function delete_entries(ids)
    if #ids == 0 then
        return
    end
    redis.call('XACK', stream, consumers, unpack(ids))
    redis.call('XDEL', stream, unpack(ids))
    if lane ~= 'quick' then
        for _, id in ipairs(ids) do
            redis.call('EXPIRE', askers_of .. lane .. ':' .. id, 0) -- in the past: deletes it
        end
    end
end

local ids, publications, letters = take_list(), take_list(), take_list()
local key = 2
while position < #ARGV do
    local token, count = unpack(take(2))
    count, since = tonumber(count), since or began(term) -- epoch.lua
    end_requests(KEYS[key], KEYS[key + 1], token, take(count), take(count), take(count), take(count))
    key = key + 2
end
publish_all(deliveries_to, deliveries)
publish_all(results_to, results)
for i = 1, #publications, 2 do
    publish(publications[i], publications[i + 1])
end
if #letters > 0 and #redis.call('XRANGE', stream, ids[1], ids[1]) > 0 then -- else they were set aside before
    set_aside(KEYS[#KEYS], most_letters, letters) -- set_aside.lua
end
delete_entries(ids)
return { unheard, kept }
