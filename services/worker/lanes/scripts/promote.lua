-- Moves a run whose number passed the tests to the lane of proofs, with those who wait for it, and tells all web processes.
-- Returns its entry there, '' if the run is over: cancelled, or another worker has it; 'full' if as many wait there as may.
-- KEYS[1] stream   KEYS[2] stream of proofs   KEYS[3] question   KEYS[4] askers of the run
-- ARGV[1] consumer group   ARGV[2] entry   ARGV[3] web instance that asked first   ARGV[4] its job (MessagePack of a batch)
-- ARGV[5] what is known so far (MessagePack)   ARGV[6] bell of the proofs' lane   ARGV[7] channel of promotions
-- ARGV[8], ARGV[9] prefixes of the sessions' keys and of the askers' in the proofs' lane   ARGV[10] seconds to keep the question
-- ARGV[11] consumer   ARGV[12] most entries in the proofs' stream
local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #held == 0 or held[1][2] ~= ARGV[11] then
    return ''
end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[12]) then
    return 'full'
end
local lane = string.match(KEYS[2], '[^:]+$')
local entry = redis.call('XADD', KEYS[2], '*', 'reply', ARGV[3], 'jobs', ARGV[4], 'question', string.match(KEYS[3], '[^:]+$'))
local askers = redis.call('HGETALL', KEYS[4])
local parts = {}
for i = 1, #askers, 2 do
    local asker, who = askers[i], askers[i + 1]
    local session, request = unpack(cmsgpack.unpack(who))
    local mark = session ~= '' and redis.call('HGET', ARGV[8] .. session, '?' .. request)
    if mark and not tonumber(mark) then -- without the time since when it ran
        redis.call('HSET', ARGV[8] .. session, '?' .. request, table.concat({ lane, entry, asker }, ' '))
    end
    redis.call('HSET', ARGV[9] .. entry, asker, who)
    parts[#parts + 1] = '\146' .. cmsgpack.pack(asker) .. who
end
redis.call('EXPIRE', KEYS[4], 0) -- in the past: deletes it
redis.call('HSET', KEYS[3], 'entry', lane .. ' ' .. entry, 'so_far', ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[10])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[6], '')
local array = '\220' .. string.char(math.floor(#parts / 256), #parts % 256) .. table.concat(parts)
redis.call('PUBLISH', ARGV[7], '\147' .. cmsgpack.pack(entry) .. ARGV[5] .. array)
return entry
