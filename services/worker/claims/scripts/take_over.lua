-- Claims the oldest entry whose lease ran out, of the short ones for a child that is spared for these.
-- Returns {how often it was delivered before, {id, fields}}; nil where there is none. One step: of two
-- workers that look, one gets it.
-- An entry whose lease began in the future, since Redis' clock was set back, would be nobody's until the
-- clock has caught up: its lease begins anew now. Such an entry is idle for no millisecond; for one that was
-- renewed in this very millisecond it changes nothing.
local stream = KEYS[1]
local group, consumer, lease, looks, most = unpack(ARGV)
-- lease: ms · looks: entries looked at for one that began in the future; overdue ones tried, of which some
-- may have been deleted while they were pending · most: µs of an entry, 0 for any
most = tonumber(most)

local function begin_anew()
    for _, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', looks)) do
        local entry, owner, idle = unpack(pending)
        if idle == 0 then
            redis.call('XCLAIM', stream, group, owner, 0, entry, 'JUSTID')
        end
    end
end

begin_anew()
for _, overdue in ipairs(redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', looks)) do
    if most == 0 or cost_of(stream, overdue[1]) <= most then -- turns.lua
        local claimed = redis.call('XCLAIM', stream, group, consumer, lease, overdue[1])[1]
        if claimed then
            return { overdue[4], claimed }
        end
    end
end
return nil
