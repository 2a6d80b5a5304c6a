-- The answers of a history after the one that is `behind` before the last, the first ones first: at most so
-- many, and no more once they have so many bytes. Then the number of the last of these, where the session's
-- last is `last`. Page by page: a history may have a hundred times as many bytes.
local function missed(history, last, behind, most, bytes)
    local found, size = {}, 0
    local at = -behind - 1 -- before the next, from the end of the list; the first ones may have gone
    local stop = math.min(most - behind, 0) - 1
    while at < stop and size < bytes do
        local ends = math.min(at + 32, stop)
        local page = redis.call('LRANGE', history, at + 1, ends)
        at = ends - #page
        for _, entry in ipairs(page) do
            if size < bytes then
                found[#found + 1], size, at = entry, size + #entry, at + 1
            end
        end
    end
    return found, last + at + 1
end
