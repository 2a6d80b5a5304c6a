-- Lua as Redis runs it (5.1): what it gives to scripts, and what the shared files define that `Script` puts in front of them.
local shared = { "leave", "array_head", "now_ms", "set_aside", "waiting", "try", "forget", "read_or_forget", "last_turn", "began", "later", "is_held",
    "wait_turn", "join_turn", "leave_turn", "next_turn", "end_turn", "drop_turns", "try_turns", "read_turn", "turn_of", "cost_of", "queued",
    "take_more", "count_uploads", "is_attended", "missed" } -- the files of `services/broker/script.py`, count.lua, taken.lua and attended.lua of uploads, last_turn.lua of parts, missed.lua of sessions
local redis = { "KEYS", "ARGV", "redis", "cmsgpack", "cjson", "struct", "bit" }
local lua = {
    "assert", "error", "ipairs", "math", "next", "pairs", "pcall", "select", "string", "table", "tonumber", "tostring",
    "type", "unpack",
}

std = { read_globals = {} }
ignore = {}
for _, names in ipairs({ lua, redis, shared }) do
    for _, name in ipairs(names) do
        table.insert(std.read_globals, name)
    end
end
for _, name in ipairs(shared) do
    table.insert(ignore, "211/" .. name) -- its own file does not call it
end
max_line_length = 110
