-- Defines `last_turn`: the score of the proof that is served after all others; 0 where there is none.
local function last_turn(proofs)
    local last = redis.call('ZRANGE', proofs, -1, -1, 'WITHSCORES')[2]
    return tonumber(last) or 0
end
