-- UTF-8 as Unicode defines it: shortest forms only, no surrogates, up to U+10FFFF.
local byte, find = string.byte, string.find

local utf8 = {}

-- The last byte of the character that starts at i, or nil if there is no valid one.
local function character_end(s, i)
  local lead, second, third, fourth = byte(s, i, i + 3)
  if lead < 0x80 then return i end
  if lead < 0xC2 or lead > 0xF4 or not second then return nil end
  local low, high = 0x80, 0xBF
  if lead == 0xE0 then low = 0xA0 elseif lead == 0xED then high = 0x9F
  elseif lead == 0xF0 then low = 0x90 elseif lead == 0xF4 then high = 0x8F end
  if second < low or second > high then return nil end
  if lead < 0xE0 then return i + 1 end
  if not third or third < 0x80 or third > 0xBF then return nil end
  if lead < 0xF0 then return i + 2 end
  if not fourth or fourth < 0x80 or fourth > 0xBF then return nil end
  return i + 3
end

-- Where the first byte at or after `from` stands that is not ASCII; past the end if there is none.
function utf8.next_beyond_ascii(s, from)
  return find(s, "[\128-\255]", from) or #s + 1
end

-- Whether s[from..to] is whole, valid characters.
function utf8.valid(s, from, to)
  local i = from
  while i <= to do
    local last = character_end(s, i)
    if not last or last > to then return false end
    i = last + 1
  end
  return true
end

-- The bytes of one code point.
function utf8.encode(code)
  local char, floor = string.char, math.floor
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  local tail = char(0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  if code < 0x10000 then return char(0xE0 + floor(code / 4096)) .. tail end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64) .. tail
end

return utf8
