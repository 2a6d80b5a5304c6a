-- Notes that a worker begins to compute a job of an entry that was delivered before. Returns how many other
-- workers began this job and neither ended it nor said that its end was no fault of the job. Nothing is noted
-- where these are too many. One step: two workers that begin at once see each other.
local attempts = KEYS[1]
local worker, job, most, ttl = unpack(ARGV) -- ttl: s

local others = 0
local begun = redis.call('HGETALL', attempts) -- of each worker the job that it began last
for i = 1, #begun, 2 do
    if begun[i] ~= worker and begun[i + 1] == job then
        others = others + 1
    end
end
if others < tonumber(most) then
    redis.call('HSET', attempts, worker, job)
    redis.call('EXPIRE', attempts, ttl)
end
return others
