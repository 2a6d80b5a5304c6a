-- Begins a new term where this Redis is another than the one that was written down: it was restarted, or a
-- replica took its place, and may lack what was acknowledged last. All epochs are then new ones (epoch.lua),
-- so that no number is given twice under one: clients ask again for what they have no answer to.
-- Returns when the new term began (ms since 1970); nil where the term goes on, or is the first.
-- One step, before anything else that a new connection asks, and a Redis that was restarted has no others: no
-- number is given before.
-- KEYS: the term. ARGV: the streams of all lanes, whose ids tell how late it was when Redis last had its
-- data: every session's epoch, and every time that an entry has, is earlier than the term.
local term = KEYS[1]
local written, before, made = unpack(redis.call('HMGET', term, 'server', 'began', 'made'))
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if written == server then
    return false
end
if not written then -- no process of ours had reached a Redis with these data: it lacks none
    redis.call('HSET', term, 'server', server, 'began', 0)
    return false
end
local known = (before or 0) + (made or 0) -- of sessions whose epochs the former term counted (enqueue.lua)
for _, stream in ipairs(ARGV) do
    if redis.call('EXISTS', stream) == 1 then
        local fields = redis.call('XINFO', 'STREAM', stream)
        for i = 1, #fields, 2 do
            if fields[i] == 'last-generated-id' then
                known = math.max(known, tonumber(string.match(fields[i + 1], '^%d+')))
            end
        end
    end
end
-- The time, or where that is not well after what is known, since the clock went back or little time has
-- passed, one that is an hour to two later. What was lost had times that are a little later than the last one
-- known: those of that hour are given by nobody, and within the next the clock goes on, so no term begins
-- twice.
local now, little, hour = now_ms(), 10000, 3600000 -- clock.lua
local began = string.format('%.0f', now > known + little and now or known + hour + now % hour)
redis.call('HSET', term, 'server', server, 'began', began)
redis.call('HDEL', term, 'made')
return began
