-- The run of a question is over: nobody joins it from here on, its answer is kept for those who ask later,
-- and those who wait are returned: asker, MessagePack, asker, … In one step, so that whoever asks finds the
-- run or the answer. What dies between this and the answers' publication loses nothing: entry and askers are
-- there until then. The keys of other questions whose answers go are their digests behind `questions`, a
-- prefix.
-- Of a run whose computation was stopped since nobody waited for longer, nothing is done, and nil is told,
-- where somebody does: one who joined after the worker's last look.
-- Of a run whose entry is gone 'gone' is told: another worker ended it or moved it to another lane, and those
-- who wait are that one's. Only its answer is kept.
local stream, question, askers, known = unpack(KEYS)
local run, answer, certificate, ttl, digest, most, questions, deserted_by = unpack(ARGV)
-- run: "LANE ID" · answer: MessagePack, '' for none to keep · certificate: SHA-256 of the answer's, or '' ·
-- ttl: seconds · deserted_by: ms since 1970 beyond which nobody waited, '' for a run that has its answer

local function is_awaited(waiting)
    for i = 2, #waiting, 2 do
        local read, who = try(cmsgpack.unpack, waiting[i]) -- try.lua
        local expires = read and type(who) == 'table' and tonumber(who[3]) or 0
        if expires == 0 or expires > tonumber(deserted_by) then
            return true
        end
    end
    return false
end

local function is_gone()
    local entry = string.match(run, '%S+$')
    return #redis.call('XRANGE', stream, entry, entry) == 0
end

local function end_run()
    if redis.call('HGET', question, 'entry') == run then -- else another one of the same question is under way
        redis.call('HDEL', question, 'entry', 'so_far')
    end
end

local function forget_oldest()
    local surplus = redis.call('ZCARD', known) - most
    if surplus > 0 then
        for _, oldest in ipairs(redis.call('ZRANGE', known, 0, surplus - 1)) do
            redis.call('HDEL', questions .. oldest, 'answer', 'certificate') -- it may have a run again
        end
        redis.call('ZREMRANGEBYRANK', known, 0, surplus - 1)
    end
end

local function keep_answer()
    redis.call('HSET', question, 'answer', answer, 'certificate', certificate)
    redis.call('EXPIRE', question, ttl)
    redis.call('ZADD', known, now_ms(), digest) -- clock.lua
    forget_oldest()
end

local waiting = read_or_forget(askers, redis.call, 'HGETALL', askers) or {} -- spoiled.lua
if deserted_by ~= '' and is_awaited(waiting) then
    return nil
end
read_or_forget(question, end_run)
if answer ~= '' then
    keep_answer()
end
return is_gone() and 'gone' or waiting
