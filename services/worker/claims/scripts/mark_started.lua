-- Notes in sessions' marks since when their jobs run. Where a request was answered there is no mark, and none
-- is made: that is why it is one step. KEYS are the sessions, one for each mark; ARGV has two for each: its
-- request, and the time (ms since 1970). Returns how many marks were there.
local noted = 0

local function note(session, request, since)
    local field = '?' .. request
    -- without the time of a worker that had it before; nil where the answer's number is
    local where = string.match(redis.call('HGET', session, field) or '', '^%S+ %S+ %S+ %S+')
    if where then
        redis.call('HSET', session, field, where .. ' ' .. since)
        noted = noted + 1
    end
end

for i, session in ipairs(KEYS) do
    try(note, session, unpack(ARGV, 2 * i - 1, 2 * i)) -- try.lua
end
return noted
