-- Puts a dead letter's jobs into a lane and deletes the letter. Returns 1; 0 when there is no such letter, or no more.
-- The entry is written first: whatever refuses it (no memory, no disk) leaves the letter where it is.
-- KEYS[1] dead letters   KEYS[2] stream   ARGV[1] id of the letter   ARGV[2] bell channel   ARGV[3] whom to answer
-- ARGV[4] jobs (MessagePack)
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
    return 0
end
redis.call('XADD', KEYS[2], '*', 'reply', ARGV[3], 'jobs', ARGV[4])
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[2], '')
return 1
