-- Notes in sessions' marks since when their jobs run. Where a request was answered there is no mark, and none is made.
-- KEYS the session of each mark   ARGV for each mark its request and the time (ms since 1970)
for i, session in ipairs(KEYS) do
    local field, since = '?' .. ARGV[2 * i - 1], ARGV[2 * i]
    -- without the time of a worker that had it before; nil where the answer's number is
    local where = string.match(redis.call('HGET', session, field) or '', '^%S+ %S+ %S+ %S+')
    if where then
        redis.call('HSET', session, field, where .. ' ' .. since)
    end
end
return 0
