-- Delivers answers, acknowledges and deletes their entries. Returns {publications that nobody heard, answers kept}.
-- A session's request is answered by whoever replaces its mark, so of any number of answers one counts. It is numbered and kept
-- before the entry goes: dying in between repeats a computation and neither loses nor repeats an answer.
-- KEYS[1] stream   KEYS[2..] for each session its hash and its history   then the dead letters, if there are any
-- ARGV[1] consumer group   ARGV[2], ARGV[3] prefixes of the deliveries' and the results' channels   ARGV[4] answers kept
-- ARGV[5] most dead letters   ARGV[6], ARGV[7] prefixes of the streams' keys and of the askers'   ARGV[8] channel of cancellations
-- ARGV[9] prefix of the questions' keys   then three lists, each after its length:
--   entry ids · channel, message of the publications to plain clients · lane, jobs, reason, worker of the dead letters
-- then for each session: its token, number of answers, and for each its request, web instance that asked, answer (MessagePack), 1 if the
-- request leaves a run that goes on for others
local lane = string.match(KEYS[1], '[^:]+$')
local position = 9
local function take_list()
    local list = {}
    position = position + 1
    for i = 1, tonumber(ARGV[position]) do
        list[i] = ARGV[position + i]
    end
    position = position + #list
    return list
end
local ids, plain, letters = take_list(), take_list(), take_list()

local unheard = 0
local function publish(channel, message)
    if redis.call('PUBLISH', channel, message) == 0 then
        unheard = unheard + 1
    end
end

local function add(groups, web, part)
    groups[web] = groups[web] or {}
    table.insert(groups[web], part)
end

-- MessagePack of an array of what is MessagePack already
local function array(parts)
    return '\220' .. string.char(math.floor(#parts / 256), #parts % 256) .. table.concat(parts)
end

-- A request's mark says where its job is. A quick one's entry is of others too, and done in a millisecond.
local function leave_run(mark)
    local at, entry, web, job = string.match(mark, '^(%S+) (%S+) (%S+) (%S+)')
    if at ~= 'quick' then
        local askers = ARGV[7] .. at .. ':' .. entry
        if leave(ARGV[6] .. at, ARGV[1], ARGV[9], askers, entry, web .. ' ' .. job) then -- leave.lua
            redis.call('PUBLISH', ARGV[8], at .. ' ' .. entry)
        end
    end
end

local deliveries, results, kept = {}, {}, 0

-- Numbers and keeps the answers to those requests of one session that are in flight: of it one read and one write, however many.
-- `at`: where the first answer's request stands in ARGV
local function keep(session, history, token, at, count)
    local fields = { 'owner', 'epoch', 'ttl', 'last' }
    for i = 1, count do
        fields[4 + i] = '?' .. ARGV[at + 4 * i - 4]
    end
    local found = redis.call('HMGET', session, unpack(fields))
    local owner, epoch, ttl, first = unpack(found, 1, 4)
    local n, most, set, answers = tonumber(first), tonumber(ARGV[4]), {}, {}
    local gone = {} -- requests whose mark is replaced here: of two answers to one the first counts
    for i = 1, count do
        local request, reply_to, answer, leaves = unpack(ARGV, at + 4 * i - 4, at + 4 * i - 1)
        local mark, informed = found[4 + i], false
        if mark and not tonumber(mark) and not gone[request] then
            gone[request] = true
            if leaves == '1' then
                leave_run(mark)
            end
            n, kept = n + 1, kept + 1
            answers[#answers + 1] = '\146' .. cmsgpack.pack(request) .. answer
            set[#set + 1] = fields[4 + i]
            set[#set + 1] = n
            if owner then
                local head, tail = cmsgpack.pack(token, request, reply_to), cmsgpack.pack(tonumber(epoch), n)
                add(deliveries, owner, '\150' .. head .. answer .. tail)
                informed = owner == reply_to
            end
        end
        if not informed then -- its ledger holds the job, whoever holds the client now
            add(results, reply_to, answer)
        end
    end
    if #answers == 0 then
        return
    end
    local length = redis.call('RPUSH', history, unpack(answers))
    redis.call('HSET', session, 'last', n, unpack(set))
    if length > most then
        local removed = {}
        for _, outdated in ipairs(redis.call('LPOP', history, length - most)) do
            local _, request = cmsgpack.unpack_one(outdated, 1) -- behind the array's first byte
            removed[#removed + 1] = '?' .. request
        end
        redis.call('HDEL', session, unpack(removed))
    end
    if length == #answers or redis.call('PTTL', session) * 6 < ttl * 5000 then -- not every time: each renewal is written to disk
        redis.call('EXPIRE', session, ttl)
        redis.call('EXPIRE', history, ttl)
    end
end

local at, index = position + 1, 2
while at < #ARGV do
    local count = tonumber(ARGV[at + 1])
    keep(KEYS[index], KEYS[index + 1], ARGV[at], at + 2, count)
    at, index = at + 2 + 4 * count, index + 2
end

for web, parts in pairs(deliveries) do
    publish(ARGV[2] .. web, array(parts))
end
for web, parts in pairs(results) do
    publish(ARGV[3] .. web, array(parts))
end
for i = 1, #plain, 2 do
    publish(plain[i], plain[i + 1])
end
set_aside(KEYS[#KEYS], ARGV[5], letters) -- set_aside.lua
if #ids > 0 then
    redis.call('XACK', KEYS[1], ARGV[1], unpack(ids))
    redis.call('XDEL', KEYS[1], unpack(ids))
    if lane ~= 'quick' then
        for _, id in ipairs(ids) do
            redis.call('EXPIRE', ARGV[7] .. lane .. ':' .. id, 0) -- in the past: deletes it
        end
    end
end
return { unheard, kept }
