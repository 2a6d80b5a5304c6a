-- Takes back all parts of a proof that is over. In one step with its turn, which nobody then looks at in
-- vain.
local proofs, waiting, payloads = unpack(KEYS)
local proof = ARGV[1]

forget(waiting, payloads) -- try.lua
if not try(redis.call, 'ZREM', proofs, proof) then
    forget(proofs)
end
