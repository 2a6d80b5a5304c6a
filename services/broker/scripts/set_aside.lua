-- Defines `set_aside`: appends dead letters to their stream, which keeps about the last `most`.
-- `letters`: lane, jobs, reason, worker of each.
local function set_aside(stream, most, letters)
    for i = 1, #letters, 4 do
        local lane, jobs, reason, worker = unpack(letters, i, i + 3)
        redis.call(
            'XADD', stream, 'MAXLEN', '~', most, '*',
            'lane', lane, 'jobs', jobs, 'reason', reason, 'worker', worker
        )
    end
end
