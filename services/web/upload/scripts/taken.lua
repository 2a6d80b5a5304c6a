-- Defines `take_more`: what all uploads take is so many bytes more than at the last look at them (begin.lua),
-- or less. Of a look that is too long ago nothing is kept.
local function take_more(known, bytes)
    if redis.call('EXISTS', known) == 1 then
        redis.call('INCRBY', known, string.format('%.0f', bytes))
    end
end
