-- Deletes consumers that hold nothing and have been silent for long. Returns how many. One step: one that is
-- given an entry between the look and its end would take that with it.
local stream = KEYS[1]
local group, silent = unpack(ARGV) -- silent: ms

local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
if consumers.err then -- no stream, or no group: nobody to forget
    return 0
end
local forgotten = 0
for _, each in ipairs(consumers) do
    local fields = {}
    for i = 1, #each, 2 do
        fields[each[i]] = each[i + 1]
    end
    if fields.pending == 0 and fields.idle > tonumber(silent) then
        redis.call('XGROUP', 'DELCONSUMER', stream, group, fields.name)
        forgotten = forgotten + 1
    end
end
return forgotten
