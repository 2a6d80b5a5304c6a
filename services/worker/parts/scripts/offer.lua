-- Has parts of a proof wait for whoever computes them, behind those of it that wait already, and takes back
-- those that are not needed any more; all that wait are kept for their time to live from now on. A proof of
-- which nothing waited is served after all others, once they had their turn. Rings the bell where no part of
-- any proof waited: whoever looked before this found none. In one step, so that no worker that looks
-- meanwhile finds a proof without its parts. Returns how many parts of this proof wait.
local proofs, waiting, payloads = unpack(KEYS)
local proof, ttl, most, bell, withdrawn = unpack(ARGV)
-- ttl: s · most: parts that may wait · withdrawn: how many are taken back. Behind these come the numbers that
-- are taken back, then number and payload of each new one.

local function take_back(number)
    redis.call('HDEL', payloads, number)
    return redis.call('LREM', waiting, 1, number)
end

local length = read_or_forget(waiting, redis.call, 'LLEN', waiting) or 0 -- spoiled.lua
local others = read_or_forget(proofs, redis.call, 'ZCARD', proofs) or 0
read_or_forget(payloads, redis.call, 'HLEN', payloads)
for i = 6, 5 + withdrawn do
    length = length - take_back(ARGV[i])
end
for i = 6 + withdrawn, #ARGV, 2 do
    if length < tonumber(most) then
        redis.call('HSET', payloads, ARGV[i], ARGV[i + 1])
        length = redis.call('RPUSH', waiting, ARGV[i])
    end
end
if length == 0 then
    redis.call('ZREM', proofs, proof)
    return 0
end
redis.call('EXPIRE', waiting, ttl)
redis.call('EXPIRE', payloads, ttl)
if not redis.call('ZSCORE', proofs, proof) then
    redis.call('ZADD', proofs, last_turn(proofs) + 1, proof) -- last_turn.lua
end
redis.call('EXPIRE', proofs, ttl)
if others == 0 then
    redis.call('PUBLISH', bell, '')
end
return length
