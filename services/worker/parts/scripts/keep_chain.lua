-- Keeps how far a proof has come, for whoever goes on with it, and lets the oldest ones go where too many are
-- kept; in one step, so that the bound holds whoever else keeps one.
-- The keys of the others are their digests behind `others`, a prefix.
local chain, chains = unpack(KEYS) -- chains: sorted set of digests by time; some may have expired
local saved, digest, ttl, most, others = unpack(ARGV) -- ttl: s · most: chains that are kept

redis.call('SET', chain, saved, 'EX', ttl)
if not try(redis.call, 'ZADD', chains, now_ms(), digest) then -- try.lua, clock.lua
    forget(chains)
    redis.call('ZADD', chains, now_ms(), digest)
end
redis.call('EXPIRE', chains, ttl)
local surplus = redis.call('ZCARD', chains) - most
if surplus > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', chains, 0, surplus - 1)) do
        forget(others .. oldest)
    end
    redis.call('ZREMRANGEBYRANK', chains, 0, surplus - 1)
end
