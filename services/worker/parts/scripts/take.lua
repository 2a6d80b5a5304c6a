-- Takes a part to compute it: the first one of the proof whose turn it is, which is then last among the
-- proofs. In one step, so that no other worker takes the same. Returns the proof, the part's number and its
-- payload; nil where none waits. It looks at no more than has gone without its proof.
-- What waits of a proof stands at its name behind `lists` and `hashes`, both prefixes.
local proofs = KEYS[1]
local lists, hashes = unpack(ARGV)

-- Returns number and payload; nothing where none of this proof waits any more, no payload where that is gone.
local function take_of(proof)
    local waiting, payloads = lists .. proof, hashes .. proof
    local number = read_or_forget(waiting, redis.call, 'LPOP', waiting) -- spoiled.lua
    if number and redis.call('LLEN', waiting) > 0 then
        redis.call('ZADD', proofs, last_turn(proofs) + 1, proof) -- last_turn.lua
    else
        redis.call('ZREM', proofs, proof)
    end
    local payload = number and read_or_forget(payloads, redis.call, 'HGET', payloads, number)
    if payload then
        redis.call('HDEL', payloads, number)
    end
    return number, payload
end

local function next_proof()
    local next = read_or_forget(proofs, redis.call, 'ZRANGE', proofs, 0, 0)
    return next and next[1]
end

local proof = next_proof()
while proof do
    local number, payload = take_of(proof)
    if payload then
        return { proof, number, payload }
    end
    proof = next_proof()
end
return nil
