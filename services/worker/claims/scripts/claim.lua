-- Claims the entry whose turn it is (turns.lua). Returns {id, fields}; nil where none waits.
-- An entry that waits for no turn, since another version wrote it or an operator put it back, is lined up:
-- when nothing else waits, and while the worker sweeps. One step: of two workers that look, one gets it.
local stream = KEYS[1]
local group, consumer, page, pages, sweeping, most = unpack(ARGV)
-- page, pages: entries read at once, and how often, in search of those that wait for no turn
-- most: µs of an entry for a child that is spared for short ones, 0 for any; it goes past clients and entries
-- whose turn is before, if they are longer, and lines up only while the worker sweeps
-- clients at whose entries it looks then, at how many of each, and at how many in all
local CLIENTS, OWN, LOOKED = 64, 8, 128
most = tonumber(most)

local function is_claimed(entry)
    return #redis.call('XPENDING', stream, group, entry, entry, 1) > 0
end

-- Takes a short one out of its client's set; nil where it is longer, or none stands at that place.
local function take_short(client, place)
    local set = stream .. ':turns:' .. client
    local entry = redis.call('ZRANGE', set, place, place)[1]
    if not entry then
        return nil, 0
    elseif cost_of(stream, entry) > most then -- turns.lua
        return nil, 1
    end
    local own = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
    redis.call('ZREM', set, entry)
    return { client = client, entry = entry, own = own }
end

-- As next_turn, of short entries: first of those that are next of their clients, then of those behind. What
-- they went past is still next: lane and client stand where that starts, so who comes now does not wait for
-- it.
local function next_short_turn()
    local clients = redis.call('ZRANGE', stream .. ':turns', 0, CLIENTS - 1, 'WITHSCORES')
    local looked = 0
    for place = 0, OWN - 1 do
        for i = 1, #clients, 2 do
            local turn, long = take_short(clients[i], place)
            if turn then
                turn.start, turn.stands = tonumber(clients[i + 1]), clients[2]
                return turn
            end
            looked = looked + long
            if looked == LOOKED then
                return nil
            end
        end
    end
    return nil
end

local function take_turn()
    return most > 0 and next_short_turn() or most == 0 and next_turn(stream) or nil
end

local function claim()
    local turn = take_turn()
    while turn do
        -- it may be gone, or a worker has it: of another version, or by another's turn
        local claimed = not is_claimed(turn.entry)
            and redis.call('XCLAIM', stream, group, consumer, 0, turn.entry, 'FORCE', 'RETRYCOUNT', 1)[1]
        local _, _, cost = read_turn(claimed and turn_of(claimed[2]))
        try_turns(end_turn, stream, turn, claimed and cost or 0)
        if claimed then
            return claimed
        end
        turn = take_turn()
    end
    return nil
end

local function count_waiting()
    local sum = 0
    for _, client in ipairs(redis.call('ZRANGE', stream .. ':turns', 0, -1)) do
        sum = sum + queued(stream, client)
    end
    return sum
end

local function line_up_one(entry, fields)
    local turn = turn_of(fields)
    local client = read_turn(turn)
    if not redis.call('ZSCORE', stream .. ':turns', client) then -- then nobody comes to what is in its set
        forget(stream .. ':turns:' .. client)
    end
    if not redis.call('ZSCORE', stream .. ':turns:' .. client, entry) and not is_claimed(entry) then
        wait_turn(stream, entry, turn)
    end
end

-- Goes on where the last look ended, so that a long stream is gone through in many.
local function line_up()
    local after = redis.call('HMGET', stream .. ':served', '>')[1]
    for _ = 1, pages do
        local entries = redis.call('XRANGE', stream, after and '(' .. after or '-', '+', 'COUNT', page)
        for _, each in ipairs(entries) do
            line_up_one(unpack(each))
            after = each[1]
        end
        if #entries < tonumber(page) then
            after = nil
            break
        end
    end
    if after then
        redis.call('HSET', stream .. ':served', '>', after)
    else
        redis.call('HDEL', stream .. ':served', '>')
    end
end

redis.call('XPENDING', stream, group) -- without a group this fails, before anything is done
if redis.call('XLEN', stream) == 0 then
    drop_turns(stream) -- those who joined an entry that went by another's turn
    return nil
end
local claimed = try_turns(claim, stream)
if sweeping == '0' and (claimed or most > 0) then
    return claimed
end
local unclaimed = waiting(stream, group, redis.call('XLEN', stream)) -- waiting.lua
if unclaimed > (try_turns(count_waiting, stream) or 0) then
    try_turns(line_up, stream)
end
return claimed or try_turns(claim, stream)
