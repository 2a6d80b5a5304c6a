-- Notes in sessions' marks since when their jobs run. A mark that is gone was answered; it is not made again.
-- KEYS the session of each mark   ARGV for each mark its request and the time (ms since 1970)
for i, session in ipairs(KEYS) do
    local field, since = '?' .. ARGV[2 * i - 1], ARGV[2 * i]
    local mark = redis.call('HGET', session, field)
    if mark then
        local where = string.match(mark, '^%S+ %S+ %S+ %S+') -- without the time of a worker that had it before
        redis.call('HSET', session, field, where .. ' ' .. since)
    end
end
return 0
