-- Defines `waiting`: how many of a stream's `length` entries no worker has, after which it need not be woken.
-- Entries not yet delivered have woken everybody already, and a worker reads until it finds none. An entry is
-- deleted when it is acknowledged, so what is not pending has not been delivered. (The group's `lag` would
-- say so too, but Redis does not know it after an entry was deleted out of order.)
local function waiting(stream, consumers, length)
    if length > 0 then
        for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
            local fields = {}
            for i = 1, #group, 2 do
                fields[group[i]] = group[i + 1]
            end
            if fields['name'] == consumers then
                return length - fields['pending']
            end
        end
    end
    return 0
end
