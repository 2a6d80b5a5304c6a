-- Delivers answers, acknowledges and deletes their entries. Returns {publications that nobody heard, answers kept}.
-- A session's request is answered by whoever removes its mark, so of any number of answers one counts. It is numbered and kept
-- before the entry goes: dying in between repeats a computation and neither loses nor repeats an answer.
-- KEYS[1] stream   KEYS[2..] for each session its hash and its answers   then the dead letters, if there are any
-- ARGV[1] consumer group   ARGV[2], ARGV[3] prefixes of the deliveries' and the results' channels   ARGV[4] answers kept
-- ARGV[5] most dead letters   ARGV[6], ARGV[7] prefixes of the streams' keys and of the askers'   ARGV[8] channel of cancellations
-- ARGV[9] prefix of the questions' keys   then four lists, each after its length:
--   entry ids · channel, message of the publications to plain clients · lane, jobs, reason, worker of the dead letters
--   · index of the session, token, request, web instance that asked, answer, 1 if the request leaves a run that goes on for others
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
local ids, plain, letters, answered = take_list(), take_list(), take_list(), take_list()

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

-- Number and keep one answer whose request was in flight; returns owner and epoch of the session, and the number.
local function keep(session, history, request, answer)
    local n = redis.call('HINCRBY', session, 'last', 1)
    local owner, epoch, ttl = unpack(redis.call('HMGET', session, 'owner', 'epoch', 'ttl'))
    local outdated = epoch .. '-' .. (n - ARGV[4])
    local oldest = n > tonumber(ARGV[4]) and redis.call('XRANGE', history, outdated, outdated)[1]
    if oldest then
        redis.call('HDEL', session, '=' .. oldest[2][2])
    end
    redis.call('XADD', history, 'MAXLEN', '=', ARGV[4], epoch .. '-' .. n, 'request', request, 'answer', answer)
    redis.call('HSET', session, '=' .. request, n)
    redis.call('EXPIRE', session, ttl)
    redis.call('EXPIRE', history, ttl)
    return owner, epoch, n
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
for i = 1, #answered, 6 do
    local index, token, request, reply_to, answer, leaves = unpack(answered, i, i + 5)
    local session, history = KEYS[2 * index], KEYS[2 * index + 1]
    local owner = false
    local mark = redis.call('HGET', session, '?' .. request)
    if mark then
        redis.call('HDEL', session, '?' .. request)
        if leaves == '1' then
            leave_run(mark)
        end
        local epoch, n
        owner, epoch, n = keep(session, history, request, answer)
        kept = kept + 1
        if owner then
            local head, tail = cmsgpack.pack(token, request, reply_to), cmsgpack.pack(tonumber(epoch), n)
            add(deliveries, owner, '\150' .. head .. answer .. tail)
        end
    end
    if owner ~= reply_to then -- its ledger holds the job, whoever holds the client now
        add(results, reply_to, answer)
    end
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
