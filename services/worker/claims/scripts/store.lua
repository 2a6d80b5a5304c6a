-- Keeps the outcome of a chunk, once, if its upload is still there; acknowledges and deletes the entry in any case.
-- Returns 1 if it was kept.
-- KEYS[1] stream   KEYS[2] upload   KEYS[3] dead letters   ARGV[1] consumer group   ARGV[2] entry   ARGV[3] chunk's number
-- ARGV[4] outcome   ARGV[5] channel of the web process that takes the upload   ARGV[6] upload's id   ARGV[7] most dead letters
-- ARGV[8..] lane, jobs, reason, worker of each dead letter
local kept = 0
local ttl, key, state = unpack(redis.call('HMGET', KEYS[2], 'ttl', 'key', 'state'))
if ttl and redis.call('HEXISTS', KEYS[2], ARGV[3]) == 0 then
    kept = 1
    redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
    redis.call('HINCRBY', KEYS[2], 'stored', 1)
    redis.call('HINCRBY', KEYS[2], 'bytes', #ARGV[4] + 64) -- a field's overhead; a guess
    if state == 'read' and redis.call('TTL', KEYS[2]) * 3 < ttl * 2 then -- not every time: each renewal is written to disk
        redis.call('EXPIRE', KEYS[2], ttl)
        if key then
            redis.call('EXPIRE', key, ttl)
        end
    end
    redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' ' .. ARGV[3])
end
set_aside(KEYS[3], ARGV[7], { unpack(ARGV, 8) }) -- set_aside.lua
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return kept
