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
-- then for each session its token, its number of answers, a string with 1 for each request that leaves a run
-- which goes on for others, 0 for each other one, and as many fields of the hash, requests (MessagePack), web
-- processes that asked, and answers (MessagePack). What can be put together once is not put together here:
-- a script's string costs more than most commands that it calls.
local stream = KEYS[1]
local lane, consumers, deliveries_to, results_to, most_kept, most_letters = unpack(ARGV, 1, 6)
local streams, askers_of, questions, cancellations, term = unpack(ARGV, 7, 11)
local position = 11 -- of the last argument that was read

local KEPT = array_head(2) -- request, answer: what a history holds
local LEAVES = string.byte('1') -- among the flags
local DELIVERY = array_head(6) -- session, request, web process that asked, answer, epoch, number

local function take(count)
    local first = position + 1
    position = position + count
    return unpack(ARGV, first, position)
end

local function take_list()
    position = position + 1
    return { take(tonumber(ARGV[position])) }
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
local function read_session(session, fields)
    local n = #fields
    fields[n + 1], fields[n + 2], fields[n + 3] = 'owner', 'epoch', 'last'
    local found, seen = redis.call('HMGET', session, unpack(fields)), {}
    fields[n + 1], fields[n + 2], fields[n + 3] = nil, nil, nil
    for i, field in ipairs(fields) do
        if seen[field] or tonumber(found[i] or 0) then
            found[i] = false
        end
        seen[field] = true
    end
    return found, unpack(found, n + 1, n + 3)
end

-- The field of the request that an entry of a history answers: its id is a short string, as a rule.
local function field_of(entry)
    local length = string.byte(entry, 2) - 0xa0
    if length >= 0 and length < 32 then
        return '?' .. string.sub(entry, 3, 2 + length)
    end
    local _, request = cmsgpack.unpack_one(entry, #KEPT)
    return '?' .. request
end

-- Lets go of a history's first entries, and of their requests' numbers.
local function trim(session, history, count)
    local outdated = redis.call('LPOP', history, count)
    for i, entry in ipairs(outdated) do
        outdated[i] = field_of(entry)
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

-- A positive integer as MessagePack, as cmsgpack has it, in a quarter of the time.
local function pack_number(n)
    if n < 128 then
        return string.char(n)
    elseif n < 256 then
        return string.char(0xcc, n)
    elseif n < 65536 then
        return string.char(0xcd, math.floor(n / 256), n % 256)
    end
    return cmsgpack.pack(n)
end

-- Numbers, keeps and delivers the answers to those requests of a session that are in flight: of it one read
-- and one write, however many.
local function answer_session(session, history, token, fields, names, askers, answers, leaving)
    local marks, owner, epoch, number = read_session(session, fields)
    local head, middle = DELIVERY .. cmsgpack.pack(token), cmsgpack.pack(tonumber(later(epoch, since)))
    local entries, numbers, parts, left = {}, {}, {}, {}
    local n, web, asker = 0, nil, nil -- asker: web as MessagePack
    for i, field in ipairs(fields) do
        if marks[i] then
            local name, answer = names[i], answers[i]
            number, n = number + 1, n + 1
            entries[n] = KEPT .. name .. answer
            numbers[2 * n - 1], numbers[2 * n] = field, number
            if owner then
                if askers[i] ~= web then
                    web, asker = askers[i], cmsgpack.pack(askers[i])
                end
                parts[n] = head .. name .. asker .. answer .. middle .. pack_number(number)
            end
            if string.byte(leaving, i) == LEAVES then
                left[#left + 1] = marks[i]
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
        if marks[i] and web ~= owner or not marks[i] and string.byte(leaving, i) ~= LEAVES then
            add(results, web, answers[i])
        end
    end
end

-- A session that cannot be read is lost, as with Redis' data: its client is told to ask again.
local function end_requests(session, history, token, fields, names, askers, answers, leaving)
    local read, done = try(function()
        return { answer_session(session, history, token, fields, names, askers, answers, leaving) }
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
    local token, count, leaving = take(3)
    count, since = tonumber(count), since or began(term) -- epoch.lua
    local fields, names, askers, answers = { take(count) }, { take(count) }, { take(count) }, { take(count) }
    end_requests(KEYS[key], KEYS[key + 1], token, fields, names, askers, answers, leaving)
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
