-- The number of a chunk that holds a line, or of an earlier one.
-- An outcome begins with its first line, 4 bytes. Lines that were told have outcomes without gaps before them, so where one
-- is missing the line is not behind it.
-- KEYS[1] upload   ARGV[1] line
local low, high = 0, tonumber(redis.call('HMGET', KEYS[1], 'chunks')[1] or 0)
while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    local outcome = redis.call('HMGET', KEYS[1], middle)[1]
    if outcome and struct.unpack('>I4', outcome) <= tonumber(ARGV[1]) then
        low = middle
    else
        high = middle
    end
end
return low
