-- Returns {number of a session's last answer, its history after a number, as much of it as is kept}; {} where the session is of another
-- epoch, or not there.
-- KEYS[1] session   KEYS[2] its history   ARGV[1] epoch   ARGV[2] the number   ARGV[3] most answers
local epoch, last = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'last'))
if epoch ~= ARGV[1] then
    return {}
end
local behind = last - ARGV[2]
if behind <= 0 then
    return { last, {} }
end
return { last, redis.call('LRANGE', KEYS[2], -behind, math.min(ARGV[3] - behind, 0) - 1) }
