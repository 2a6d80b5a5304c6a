-- Moves a session to a web process and tells the one that held it. Returns {} if there is no such session, else
-- {its hash, its history after the offset (none if the offset is of another epoch)}.
-- KEYS[1] session   KEYS[2] its history   ARGV[1] web instance   ARGV[2] lifetime (s)
-- ARGV[3] the offset's epoch, '' for the beginning   ARGV[4] the offset's number   ARGV[5] prefix of the evictions' channels
local owner, epoch, last = unpack(redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'last'))
if not epoch then
    return {}
end
local moves = redis.call('HINCRBY', KEYS[1], 'moves', 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'ttl', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
if owner and owner ~= ARGV[1] then
    redis.call('PUBLISH', ARGV[5] .. owner, string.match(KEYS[1], '[^:]+$') .. ' ' .. moves)
end
local missed = {}
local behind = last - ARGV[4]
if behind > 0 and (ARGV[3] == '' or ARGV[3] == epoch) then
    missed = redis.call('LRANGE', KEYS[2], -behind, -1)
end
return { redis.call('HGETALL', KEYS[1]), missed }
