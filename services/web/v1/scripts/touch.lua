-- Renews sessions whose sockets a web process holds. Returns for each {epoch, last, moves}, '' for what is not there.
-- KEYS for each session its hash and its history   ARGV[1] web instance   ARGV[2] lifetime (s)   ARGV[3..] moves known
local states = {}
for k = 1, #KEYS, 2 do
    local session, known = KEYS[k], ARGV[2 + (k + 1) / 2]
    local state = redis.call('HMGET', session, 'epoch', 'last', 'moves', 'owner')
    if state[1] then
        -- A hash that was lost with Redis' data and made again by another web process knows no owner, or the wrong one.
        if tonumber(known) >= tonumber(state[3]) and (state[4] ~= ARGV[1] or known ~= state[3]) then
            redis.call('HSET', session, 'owner', ARGV[1], 'moves', known)
            state[3] = known
        end
        if redis.call('PTTL', session) * 6 < ARGV[2] * 5000 then -- not every second: each renewal is written to disk
            redis.call('EXPIRE', session, ARGV[2])
            redis.call('EXPIRE', KEYS[k + 1], ARGV[2])
        end
    end
    states[#states + 1] = { state[1] or '', state[2] or '', state[3] or '' }
end
return states
