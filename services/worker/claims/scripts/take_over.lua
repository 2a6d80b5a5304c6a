-- Claims the oldest entry whose lease ran out. Returns {how often it was delivered before, {id, fields}};
-- nil where there is none. One step: of two workers that look, one gets it.
-- An entry whose lease began in the future, since Redis' clock was set back, would be nobody's until the
-- clock has caught up: its lease begins anew now. Such an entry is idle for no millisecond; for one that was
-- renewed in this very millisecond it changes nothing.
local stream = KEYS[1]
local group, consumer, lease, looks = unpack(ARGV)
-- lease: ms · looks: entries looked at for one that began in the future; overdue ones tried, of which some
-- may have been deleted while they were pending

local function begin_anew()
    for _, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', looks)) do
        local entry, owner, idle = unpack(pending)
        if idle == 0 then
            redis.call('XCLAIM', stream, group, owner, 0, entry, 'JUSTID')
        end
    end
end

begin_anew()
for _ = 1, looks do
    local overdue = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', 1)[1]
    if not overdue then
        return nil
    end
    local claimed = redis.call('XCLAIM', stream, group, consumer, lease, overdue[1])[1]
    if claimed then
        return { overdue[4], claimed }
    end
end
return nil
