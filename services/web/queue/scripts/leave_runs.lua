-- Jobs of one lane that nobody waits for any more leave their runs; a run without askers is deleted and its computation stopped.
-- KEYS[1] stream   KEYS[2..] askers of each run   ARGV[1] consumer group   ARGV[2] channel of cancellations   ARGV[3] lane
-- ARGV[4] prefix of the questions' keys   ARGV[5..] for each run its entry, and who leaves
local deleted = { ARGV[3] }
for k = 2, #KEYS do
    local entry, asker = ARGV[2 * k + 1], ARGV[2 * k + 2]
    if leave(KEYS[1], ARGV[1], ARGV[4], KEYS[k], entry, asker) then -- services/broker/scripts/leave_run.lua
        deleted[#deleted + 1] = entry
    end
end
if #deleted > 1 then
    redis.call('PUBLISH', ARGV[2], table.concat(deleted, ' '))
end
return #deleted - 1
