-- Returns the number of the chunk that holds a line, or of an earlier one; 0 where there is no upload.
-- An outcome begins with its first line, 4 bytes. Lines that were told have outcomes without gaps before
-- them, so where one is missing the line is not behind it.
-- One step, since a search asks many times.
local upload = KEYS[1]
local line = tonumber(ARGV[1])

local low, high = 0, tonumber(redis.call('HMGET', upload, 'chunks')[1] or 0)
while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    local outcome = redis.call('HMGET', upload, middle)[1]
    if outcome and struct.unpack('>I4', outcome) <= line then
        low = middle
    else
        high = middle
    end
end
return low
