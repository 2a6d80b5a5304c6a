-- Jobs of one lane that nobody waits for any more leave their runs. A run without askers is deleted, and its
-- computation stopped.
-- Returns how many were deleted. One step: nobody joins a run between its last asker's leaving and its end.
-- KEYS: the stream, then of each run the hash of its askers. Derived from a prefix: the question that the
-- entry names.
-- ARGV: consumer group, channel of cancellations, lane, prefix of the questions' keys, then of each run its
-- entry, and who leaves
local stream = KEYS[1]
local consumers, cancellations, lane, questions = unpack(ARGV, 1, 4)
local deleted = {}
for run = 1, #KEYS - 1 do
    local entry, asker = unpack(ARGV, 3 + 2 * run, 4 + 2 * run)
    local read, empty = try(leave, stream, consumers, questions, KEYS[1 + run], entry, asker) -- leave_run.lua
    if read and empty then
        deleted[#deleted + 1] = entry
    end
end
if #deleted > 0 then
    redis.call('PUBLISH', cancellations, lane .. ' ' .. table.concat(deleted, ' '))
end
return #deleted
