-- Defines `began`, when the term began (ms since 1970), and `later`: a session's epoch in it. A hash that is
-- older than the term may lack what was numbered last, so its epoch is the term's beginning.
local function began(term)
    return redis.call('HMGET', term, 'began')[1] or '0'
end

local function later(epoch, since)
    if epoch and tonumber(since) > tonumber(epoch) then
        return since
    end
    return epoch
end
