-- The run of a question is over: nobody joins it from here on. Keeps its answer for those who ask later, and returns those who
-- wait: asker, MessagePack, asker, …
-- What dies between this and the answers' publication loses nothing: entry and askers are there until then.
-- KEYS[1] question   KEYS[2] askers   KEYS[3] sorted set of the questions with a kept answer
-- ARGV[1] "LANE ID" of the run   ARGV[2] answer, '' for none to keep   ARGV[3] SHA-256 of its certificate, or ''
-- ARGV[4] seconds to keep it   ARGV[5] digest of the question   ARGV[6] most kept answers   ARGV[7] prefix of the questions' keys
if redis.call('HGET', KEYS[1], 'entry') == ARGV[1] then
    redis.call('HDEL', KEYS[1], 'entry', 'so_far')
end
if ARGV[2] ~= '' then
    redis.call('HSET', KEYS[1], 'answer', ARGV[2], 'certificate', ARGV[3])
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    local now = redis.call('TIME')
    redis.call('ZADD', KEYS[3], now[1] .. string.format('%03d', math.floor(now[2] / 1000)), ARGV[5])
    local surplus = redis.call('ZCARD', KEYS[3]) - ARGV[6]
    if surplus > 0 then
        for _, digest in ipairs(redis.call('ZRANGE', KEYS[3], 0, surplus - 1)) do
            redis.call('HDEL', ARGV[7] .. digest, 'answer', 'certificate') -- it may have a run again
        end
        redis.call('ZREMRANGEBYRANK', KEYS[3], 0, surplus - 1)
    end
end
return redis.call('HGETALL', KEYS[2])
