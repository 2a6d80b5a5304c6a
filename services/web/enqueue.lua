-- Appends as many stream entries as there is room for, the first ones first, and rings the bell if no worker is sure
-- to be awake. Returns the ids of those that it appended.
-- KEYS[1] stream   ARGV[1] consumer group   ARGV[2] bell channel   ARGV[3] most entries in the stream
-- ARGV[4] web instance to reply to   ARGV[5..] one MessagePack batch an entry
local stream = KEYS[1]
local length = redis.call('XLEN', stream)
local last = math.min(#ARGV, 4 + tonumber(ARGV[3]) - length)
if last < 5 then
    return {}
end

-- Entries not yet delivered have woken everybody already, and a worker reads until it finds none. An entry is deleted
-- when it is acknowledged, so what is not pending has not been delivered. (The group's `lag` would say so too, but Redis
-- does not know it after an entry was deleted out of order.)
local waiting = 0
if length > 0 then
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
        local fields = {}
        for i = 1, #group, 2 do
            fields[group[i]] = group[i + 1]
        end
        if fields['name'] == ARGV[1] then
            waiting = length - fields['pending']
        end
    end
end

local ids = {}
for i = 5, last do
    ids[#ids + 1] = redis.call('XADD', stream, '*', 'reply', ARGV[4], 'jobs', ARGV[i])
end
if waiting <= 0 then
    redis.call('PUBLISH', ARGV[2], '')
end
return ids
