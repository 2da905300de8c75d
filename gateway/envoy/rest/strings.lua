-- Text: UTF-8 as Unicode defines it, and the strings of a JSON document.
local byte, find, char, floor = string.byte, string.find, string.char, math.floor

local SPACE, QUOTE, BACKSLASH = byte(' "\\', 1, 3)
local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
-- The bounds of a character's second byte where they are narrower than those of the others.
local LEAST, MOST = { [0xE0] = 0xA0, [0xF0] = 0x90 }, { [0xED] = 0x9F, [0xF4] = 0x8F }

-- The last byte of the character beyond ASCII that starts at i, or nil if it is not a valid one.
local function character_end(s, i)
  local lead, second, third, fourth = byte(s, i, i + 3)
  if lead < 0xC2 or lead > 0xF4 or not second then return nil end
  if second < (LEAST[lead] or 0x80) or second > (MOST[lead] or 0xBF) then return nil end
  if lead < 0xE0 then return i + 1 end
  if not third or third < 0x80 or third > 0xBF then return nil end
  if lead < 0xF0 then return i + 2 end
  if not fourth or fourth < 0x80 or fourth > 0xBF then return nil end
  return i + 3
end

-- The last byte of the escape at i, or nil if there is no such escape; and whether it is whole: one
-- half of a surrogate pair is not.
local function escape_end(text, i)
  if find(text, '^["\\/bfnrt]', i + 1) then return i + 1, true end
  if not find(text, "^u%x%x%x%x", i + 1) then return nil end
  if find(text, "^[dD][89abAB]", i + 2) then
    local paired = find(text, "^\\u[dD][c-fC-F]%x%x", i + 6)
    return paired and i + 11 or i + 5, paired ~= nil
  end
  return i + 5, not find(text, "^[dD][c-fC-F]", i + 2)
end

-- The bytes of one code point.
local function encode(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  local tail = char(0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  if code < 0x10000 then return char(0xE0 + floor(code / 4096)) .. tail end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64) .. tail
end

local strings = {}

function strings.is_text(s)
  local i = find(s, "[\128-\255]")
  while i do
    local last = character_end(s, i)
    if not last then return false end
    i = find(s, "[\128-\255]", last + 1)
  end
  return true
end

-- Reads on from the first byte inside a string: gives its last byte, whether there are escapes, and
-- whether all of it is text. For a broken string: nil, what is wrong, and where.
function strings.read(text, i)
  local escaped, is_text = false, true
  while true do
    local c = byte(text, i)
    if not c then return nil, "a string without an end", i end
    if c == QUOTE then return i - 1, escaped, is_text end
    if c < SPACE then return nil, "a control character in a string", i end
    if c == BACKSLASH then
      local last, whole = escape_end(text, i)
      if not last then return nil, "no such escape", i end
      escaped, is_text, i = true, is_text and whole, last
    elseif c >= 0x80 then
      local last = character_end(text, i)
      is_text, i = is_text and last ~= nil, last or i
    end
    i = i + 1
  end
end

-- What a string with escapes says; all of it must be text.
function strings.unescape(s)
  s = s:gsub("\\\\", "\\u005c")
  s = s:gsub("\\u[dD]([89abAB]%x%x)\\u[dD]([c-fC-F]%x%x)", function(lead, tail)
    return encode(0x10000 + (tonumber(lead, 16) - 0x800) * 0x400 + tonumber(tail, 16) - 0xC00)
  end)
  s = s:gsub("\\([^u])", function(letter) return ESCAPES[letter] or letter end)
  return (s:gsub("\\u(%x%x%x%x)", function(hex) return encode(tonumber(hex, 16)) end))
end

return strings
