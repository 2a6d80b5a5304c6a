-- Defines `array_head`: the first bytes of a MessagePack array of `length` values (at most 65,535), which
-- follow it, each as MessagePack of its own.
local function array_head(length)
    if length < 16 then
        return string.char(0x90 + length)
    end
    return string.char(0xdc, math.floor(length / 256), length % 256)
end
