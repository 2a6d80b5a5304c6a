-- Defines `try`: calls a function that reads what Redis keeps. Returns true and what it returns; false where
-- that cannot be read: it is of another type, or no number stands where one is expected. It costs then only
-- what it belongs to, and not the whole script. Any other error (Redis is full, or a replica) says nothing
-- of what is kept, and is raised again.
local function try(call, ...)
    local done, result = pcall(call, ...)
    local reason = not done and type(result) == 'table' and result.err
    if reason and not string.find(reason, '^WRONGTYPE') and not string.find(reason, '^ERR hash value') then
        error(result)
    end
    return done, result
end

-- Defines `forget`: deletes keys; it leaves freeing the memory to another thread (redis.conf).
local function forget(...)
    for _, key in ipairs({ ... }) do
        redis.call('EXPIRE', key, 0) -- in the past
    end
end
