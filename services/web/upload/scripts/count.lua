-- Defines `count_uploads`: the bytes of all uploads, of which one that is still being read counts for so many
-- at least, and a table of the bytes by client. Uploads of the former release name no client. Those that
-- have expired leave the index, those that cannot be read go. It derives the keys of all uploads from their
-- prefix.
local function count_uploads(index, prefix, reading_bytes)
    local sum, shares = 0, {}
    for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
        local read, found = try(redis.call, 'HMGET', prefix .. id, 'state', 'bytes', 'client') -- try.lua
        local state, bytes, client = unpack(read and found or { false, 0, false })
        bytes = tonumber(bytes) or 0
        if not read then
            forget(prefix .. id)
        end
        if state then
            bytes = state == 'reading' and math.max(bytes, reading_bytes) or bytes
            sum = sum + bytes
            if client then
                shares[client] = (shares[client] or 0) + bytes
            end
        else
            redis.call('ZREM', index, id)
        end
    end
    return sum, shares
end
