-- Keeps the outcome of a chunk and tells the web process that takes the upload, if the upload is still there
-- and the chunk has no outcome; sets jobs aside, acknowledges and deletes the entry in any case. In one step,
-- so that a worker that dies neither loses an outcome nor counts it twice. Returns 1 if it was kept, else 0.
-- Of an upload that was read it renews the time to live; `key`, in its hash, is the whole key of its
-- idempotency key.
local stream, upload, dead = unpack(KEYS)
local group, entry, number, outcome, notices, id, most_dead = unpack(ARGV)
local letters = { unpack(ARGV, 8) } -- lane, jobs, reason, worker of each
local OVERHEAD = 64 -- bytes of a field besides what is in it; a guess

local function renew(ttl, key)
    if redis.call('TTL', upload) * 3 < ttl * 2 then -- not every time: each renewal is written to disk
        redis.call('EXPIRE', upload, ttl)
        if key then
            redis.call('EXPIRE', key, ttl)
        end
    end
end

local function keep()
    local ttl, key, state = unpack(redis.call('HMGET', upload, 'ttl', 'key', 'state'))
    if not ttl or redis.call('HEXISTS', upload, number) == 1 then
        return 0
    end
    redis.call('HSET', upload, number, outcome)
    redis.call('HINCRBY', upload, 'stored', 1)
    redis.call('HINCRBY', upload, 'bytes', #outcome + OVERHEAD)
    if state == 'read' then
        renew(ttl, key)
    end
    redis.call('PUBLISH', notices, id .. ' ' .. number)
    return 1
end

local read, kept = try(keep) -- try.lua
if not read then -- its upload cannot be read: it is lost, and its clients are told
    forget(upload)
end
if #letters > 0 and #redis.call('XRANGE', stream, entry, entry) > 0 then -- else they were set aside before
    set_aside(dead, most_dead, letters) -- set_aside.lua
end
redis.call('XACK', stream, group, entry)
redis.call('XDEL', stream, entry)
return read and kept or 0
