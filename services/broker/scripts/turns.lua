-- Defines how the costly entries of a lane take turns: `wait_turn`, `join_turn`, `leave_turn`, `next_turn`,
-- `end_turn`, `drop_turns`, `try_turns`, `read_turn`, `turn_of`, `cost_of`, `queued`. An entry's `turn` is a
-- field, "CLIENT FLOW COST" or "CLIENT FLOW COST PROOF" (µs).
-- Start-time fair queueing (Goyal, Vin and Cheng, 1996), once among clients and once among the flows of each:
-- whoever was served least is next, and one that asks for little waits for none that ask for much. Times are
-- µs of estimated work that were served, not of any clock.
-- Keys, all behind the stream's own name:
--   STREAM:turns         sorted set: clients that have entries waiting, by when their next one starts
--   STREAM:turns:CLIENT  sorted set: the client's entries that wait, by when they start among its own
--   STREAM:served        hash: `.` where the lane stands · CLIENT where one that has none waiting stands
--                        · `CLIENT .` where a client stands among its own · `CLIENT FLOW` where a flow's
--                        last ends · `#` turns since it was tidied · `>` where claim.lua looks next
-- What is in no set and with no worker was written by another version, or put back by hand: claim.lua lines
-- it up.
local ANYBODY = '- - 1000' -- the turn of an entry that has none
local TIDY = 256 -- turns after which what says nothing any more is deleted
local MOST = 4096 -- fields of `served` above which clients are forgiven that have none waiting

local function read_turn(turn)
    local client, flow, cost, proof = string.match(turn or ANYBODY, '^(%S+) (%S+) (%d+) ?(%d*)$')
    if not client then
        return read_turn(ANYBODY)
    end
    return client, flow, tonumber(cost), tonumber(proof) or 0
end

local function exact(number)
    return string.format('%.0f', number)
end

local function turn_of(fields)
    for i = 1, #fields, 2 do
        if fields[i] == 'turn' then
            return fields[i + 1]
        end
    end
    return ANYBODY
end

-- Estimated µs of an entry of the stream: none of one that is gone, and more than any bound of one that has
-- no turn, which nobody has estimated.
local function cost_of(stream, entry)
    local found = redis.call('XRANGE', stream, entry, entry)[1]
    local turn = found and turn_of(found[2])
    local _, _, cost = read_turn(turn)
    return not found and 0 or turn == ANYBODY and math.huge or cost
end

-- How many entries of a client wait.
local function queued(stream, client)
    return redis.call('ZCARD', stream .. ':turns:' .. client)
end

local function stand_in_line(stream, entry, turn)
    local client, flow, cost = read_turn(turn)
    local clients, served = stream .. ':turns', stream .. ':served'
    local own = client .. ' ' .. flow
    local ends, stands, now, left = unpack(redis.call('HMGET', served, own, client .. ' .', '.', client))
    local start = math.max(ends or 0, stands or 0)
    redis.call('ZADD', clients .. ':' .. client, exact(start), entry)
    redis.call('HSET', served, own, exact(start + cost))
    if not redis.call('ZSCORE', clients, client) then
        redis.call('ZADD', clients, exact(math.max(now or 0, left or 0)), client)
    end
end

local function join_line(stream, entry, turn, joining)
    local first, _, cost = read_turn(turn)
    local client, flow = read_turn(joining)
    local sets = stream .. ':turns:'
    if
        client ~= first
        and redis.call('ZSCORE', sets .. first, entry)
        and not redis.call('ZSCORE', sets .. client, entry)
    then
        stand_in_line(stream, entry, client .. ' ' .. flow .. ' ' .. cost)
    end
end

-- A client has none waiting any more: it goes on later from where it stands.
local function close_turns(stream, client, stands)
    redis.call('ZREM', stream .. ':turns', client)
    if redis.call('ZCARD', stream .. ':turns') == 0 then
        forget(stream .. ':served') -- try.lua
    else
        redis.call('HSET', stream .. ':served', client, exact(stands))
    end
end

local function leave_line(stream, entry, turn)
    local client, flow, cost = read_turn(turn)
    if redis.call('ZREM', stream .. ':turns:' .. client, entry) == 0 then
        return
    end
    redis.call('HINCRBY', stream .. ':served', client .. ' ' .. flow, -cost)
    if queued(stream, client) == 0 then
        close_turns(stream, client, redis.call('ZSCORE', stream .. ':turns', client) or 0)
    end
end

-- What cannot be read goes: claim.lua makes it anew from the stream.
local function drop_turns(stream)
    local clients = redis.pcall('ZRANGE', stream .. ':turns', 0, -1)
    for _, client in ipairs(clients.err and {} or clients) do
        forget(stream .. ':turns:' .. client)
    end
    forget(stream .. ':turns', stream .. ':served')
end

-- Turns are worth no failure: where Redis is full they become less exact, and no entry is lost by that.
local function try_turns(call, stream, ...)
    local done, read, result = pcall(try, call, stream, ...) -- try.lua
    if not done then
        if type(read) ~= 'table' or not string.find(read.err or '', '^OOM') then
            error(read)
        end
    elseif not read then
        drop_turns(stream)
    else
        return result
    end
    return nil
end

-- A new entry waits for its turn.
local function wait_turn(stream, entry, turn)
    try_turns(stand_in_line, stream, entry, turn)
end

-- Somebody else waits for the same entry: it starts with whoever's turn is first.
local function join_turn(stream, entry, turn, joining)
    try_turns(join_line, stream, entry, turn, joining)
end

-- An entry is deleted; if nobody has claimed it, it cost its client nothing.
local function leave_turn(stream, entry, turn)
    try_turns(leave_line, stream, entry, turn)
end

-- Takes the entry whose turn it is out of its set: client, where it starts, entry, where the first one starts
-- among the client's own, where the lane stands; nil where none waits.
local function next_turn(stream)
    while true do
        local client, start = unpack(redis.call('ZRANGE', stream .. ':turns', 0, 0, 'WITHSCORES'))
        if not client then
            return nil
        end
        local entry, own = unpack(redis.call('ZPOPMIN', stream .. ':turns:' .. client))
        if entry then
            return { client = client, start = tonumber(start), entry = entry, own = own, stands = start }
        end
        close_turns(stream, client, start)
    end
end

-- Deletes where those stand that would start no later without it; where too many would, of all that have none
-- waiting.
local function tidy(stream)
    local served = stream .. ':served'
    local forgiven = redis.call('HLEN', served) > MOST
    local all, found = redis.call('HGETALL', served), {}
    for i = 1, #all, 2 do
        found[all[i]] = tonumber(all[i + 1])
    end
    for field, stands in pairs(found) do
        local client = string.match(field, '^(%S+) %S+$')
        local now = client and (found[client .. ' .'] or 0) or found['.'] or 0
        local idle = client and queued(stream, client) == 0 or forgiven and not client
        if field ~= '.' and field ~= '#' and (idle or stands < now) then
            redis.call('HDEL', served, field)
        end
    end
    redis.call('HSET', served, '#', 0)
end

-- What `next_turn` gave was served for so many µs; 0 where it was gone.
local function end_turn(stream, turn, cost)
    local served = stream .. ':served'
    redis.call('HSET', served, '.', exact(turn.stands), turn.client .. ' .', turn.own)
    if redis.call('HINCRBY', served, '#', 1) > TIDY then
        tidy(stream)
    end
    if queued(stream, turn.client) == 0 then
        close_turns(stream, turn.client, turn.start + cost)
    else
        redis.call('ZADD', stream .. ':turns', exact(turn.start + cost), turn.client)
    end
end
