-- Where an upload stands, and the outcomes of some of its chunks. Returns {} when it is gone, else
-- {state, chunks, stored, lines, answers, outcomes: '' where there is none yet}; renews its time to live when a third is over.
-- KEYS[1] upload   ARGV[1] ms after which an upload that nobody reads on is interrupted   ARGV[2..] numbers of the chunks
local state, seen, chunks, stored, lines, answers, ttl, key =
    unpack(redis.call('HMGET', KEYS[1], 'state', 'seen', 'chunks', 'stored', 'lines', 'answers', 'ttl', 'key'))
if not state then
    return {}
end
if state == 'reading' then
    local now = redis.call('TIME')
    if now[1] * 1000 + math.floor(now[2] / 1000) - seen > tonumber(ARGV[1]) then
        state = 'interrupted'
    end
elseif redis.call('TTL', KEYS[1]) * 3 < ttl * 2 then
    redis.call('EXPIRE', KEYS[1], ttl)
    if key then
        redis.call('EXPIRE', key, ttl)
    end
end
local outcomes = {}
for i = 2, #ARGV do
    outcomes[#outcomes + 1] = redis.call('HMGET', KEYS[1], ARGV[i])[1] or ''
end
return { state, chunks, stored, lines or '', answers or '', outcomes }
