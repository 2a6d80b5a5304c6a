-- Defines `read_or_forget`: calls a function that reads the key. Returns what that returns; false where it
-- cannot be read, which is then as if it were not there.
local function read_or_forget(key, call, ...)
    local read, found = try(call, ...) -- try.lua
    if not read then
        forget(key)
    end
    return read and found
end
