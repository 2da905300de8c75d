-- The strings of a JSON document: where one ends, and what it says.
local byte, find = string.byte, string.find
local utf8 = require("utf8")

local SPACE, QUOTE, BACKSLASH = byte(' "\\', 1, 3)
local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local json_strings = {}

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

-- Reads on from the first byte inside a string: gives its last byte, whether there are escapes, and
-- whether all of them are whole. For a broken string: nil, what is wrong, and where.
function json_strings.read(text, first)
  local escaped, whole = false, true
  local i = first
  while true do
    local c = byte(text, i)
    if not c then return nil, "a string without an end", i end
    if c == QUOTE then return i - 1, escaped, whole end
    if c < SPACE then return nil, "a control character in a string", i end
    if c == BACKSLASH then
      local last, whole_escape = escape_end(text, i)
      if not last then return nil, "no such escape", i end
      escaped, whole, i = true, whole and whole_escape, last
    end
    i = i + 1
  end
end

-- What a string with escapes says; all of them must be whole.
function json_strings.unescape(s)
  s = s:gsub("\\\\", "\\u005c")
  s = s:gsub("\\u[dD]([89abAB]%x%x)\\u[dD]([c-fC-F]%x%x)", function(lead, tail)
    return utf8.encode(0x10000 + (tonumber(lead, 16) - 0x800) * 0x400 + tonumber(tail, 16) - 0xC00)
  end)
  s = s:gsub("\\([^u])", function(letter) return ESCAPES[letter] or letter end)
  return (s:gsub("\\u(%x%x%x%x)", function(hex) return utf8.encode(tonumber(hex, 16)) end))
end

return json_strings
