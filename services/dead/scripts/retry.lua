-- Puts a dead letter's jobs into a lane, rings its bell and deletes the letter.
-- Returns 1; 0 when there is no such letter, or no more.
-- One step: of two that retry one letter, one does. The entry is written first: whatever refuses it (no
-- memory, no disk) leaves the letter where it is.
local dead, stream = unpack(KEYS)
local letter, bell, reply_to, jobs = unpack(ARGV) -- jobs: MessagePack

if #redis.call('XRANGE', dead, letter, letter) == 0 then
    return 0
end
redis.call('XADD', stream, '*', 'reply', reply_to, 'jobs', jobs)
redis.call('XDEL', dead, letter)
redis.call('PUBLISH', bell, '')
return 1
