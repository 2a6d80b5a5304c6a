-- Defines `take_more`: what all uploads take, and those of this client (false: of nobody), is so many bytes
-- more than at the last look at them (begin.lua), or less. Of a look that is too long ago nothing is kept.
local function take_more(known, client, bytes)
    local read, looked = try(redis.call, 'HEXISTS', known, '') -- try.lua
    if not read or looked == 0 then
        return
    end
    bytes = string.format('%.0f', bytes)
    redis.call('HINCRBY', known, '', bytes)
    if client then
        redis.call('HINCRBY', known, client, bytes)
    end
end
