-- Moves a run whose number passed the tests to the lane of proofs, with those who wait for it, and tells all
-- web processes. In one step, so that whoever asks or leaves meanwhile finds the run at one place. Returns
-- its entry there; '' if the run is over, cancelled or another worker's; 'full' if as many of its client wait
-- there as are free for others.
-- The keys of the sessions of those who wait are their tokens behind `sessions`, and of the run's askers at
-- its new place its entry there behind `new_askers`, both prefixes.
local stream, proofs, question, askers = unpack(KEYS)
local group, consumer, entry, reply_to, jobs, digest, so_far = unpack(ARGV)
local bell, promotions, sessions, new_askers, ttl, most = unpack(ARGV, 8)
-- jobs, so_far: MessagePack of the first asker's job in a batch, and of the answer that is known · ttl:
-- seconds to keep the question · most: entries in the stream of proofs
local lane = string.match(proofs, '[^:]+$')

-- Where the session of one who waits says where its job is: at the new place, without the time since when it
-- ran.
local function move_mark(asker, who, promoted)
    local session, request = unpack(cmsgpack.unpack(who))
    local mark = session ~= '' and redis.call('HGET', sessions .. session, '?' .. request)
    if mark and not tonumber(mark) then
        redis.call('HSET', sessions .. session, '?' .. request, table.concat({ lane, promoted, asker }, ' '))
    end
end

-- MessagePack of an array of what is MessagePack already.
local function array(parts)
    return array_head(#parts) .. table.concat(parts) -- messagepack.lua
end

-- Returns MessagePack of [asker, who] for each.
local function move_askers(promoted)
    local read, waiting = try(redis.call, 'HGETALL', askers) -- try.lua
    local moved = {}
    waiting = read and waiting or {}
    for i = 1, #waiting, 2 do
        local asker, who = waiting[i], waiting[i + 1]
        try(move_mark, asker, who, promoted)
        redis.call('HSET', new_askers .. promoted, asker, who)
        table.insert(moved, array({ cmsgpack.pack(asker), who }))
    end
    redis.call('EXPIRE', askers, 0) -- in the past: deletes it
    return moved
end

if not is_held(stream, group, consumer, entry) then -- held.lua
    return ''
end
local run = redis.call('XRANGE', stream, entry, entry)[1]
local client, flow, _, cost = read_turn(turn_of(run and run[2] or {})) -- turns.lua
if (try_turns(queued, proofs, client) or 0) >= most - redis.call('XLEN', proofs) then
    return 'full'
end
local turn = table.concat({ client, flow, cost }, ' ')
local fields = { 'reply', reply_to, 'jobs', jobs, 'question', digest, 'turn', turn }
local promoted = redis.call('XADD', proofs, '*', unpack(fields))
wait_turn(proofs, promoted, turn)
local moved = move_askers(promoted)
if not try(redis.call, 'HSET', question, 'entry', lane .. ' ' .. promoted, 'so_far', so_far) then
    forget(question)
    redis.call('HSET', question, 'entry', lane .. ' ' .. promoted, 'so_far', so_far)
end
redis.call('EXPIRE', question, ttl)
redis.call('XACK', stream, group, entry)
redis.call('XDEL', stream, entry)
redis.call('PUBLISH', bell, '')
redis.call('PUBLISH', promotions, array({ cmsgpack.pack(promoted), so_far, array(moved) }))
return promoted
