-- Refuses whoever has no role for an rpc at all, before anything of the request is read. What a role
-- is for, the application says, and decides again.
local byte, char, concat, floor, sub = string.byte, string.char, table.concat, math.floor, string.sub
local strings = require("strings")

-- The caller's, which Envoy takes from the verified token: base64 of a JSON list, or what else it is.
local HEADER = "x-pmesh-roles"
local MOST = 1000  -- lists that are remembered
local OPEN, CLOSE, QUOTE, COMMA = byte('[]",', 1, 4)
local DIGITS = {}
for i = 0, 25 do DIGITS[byte("A") + i], DIGITS[byte("a") + i] = i, 26 + i end
for i = 0, 9 do DIGITS[byte("0") + i] = 52 + i end
DIGITS[byte("+")], DIGITS[byte("/")] = 62, 63

local function decode(text)
  local bytes, value, bits = {}, 0, 0
  for i = 1, #text do
    local digit = DIGITS[byte(text, i)]
    if not digit then break end
    value, bits = value * 64 + digit, bits + 6
    if bits >= 8 then
      bits = bits - 8
      bytes[#bytes + 1] = char(floor(value / 2 ^ bits))
      value = value % 2 ^ bits
    end
  end
  return concat(bytes)
end

-- The names in a list of names; nil: it is none, so that the application has to say.
local function names(json)
  if json == "[]" then return {} end
  local list, i = {}, 2
  if byte(json, 1) ~= OPEN then return nil end
  repeat
    if byte(json, i) ~= QUOTE then return nil end
    local last, escaped = strings.read(json, i + 1)
    if not last then return nil end
    local name = sub(json, i + 1, last)
    list[#list + 1] = escaped and strings.unescape(name) or name
    i = last + 3
  until byte(json, last + 2) ~= COMMA
  return byte(json, i - 1) == CLOSE and list or nil
end

local remembered, count = {}, 0

local function roles_of(header)
  local found = remembered[header]
  if found == nil then
    if count == MOST then remembered, count = {}, 0 end
    found = names(decode(header)) or false
    remembered[header], count = found, count + 1
  end
  return found
end

local roles = {}

-- Whether one of them may be for a binding.
function roles.allow(headers, binding)
  if not binding.roles then return true end
  local header = headers:get(HEADER)
  local found = header and roles_of(header)
  if found == false then return true end
  for _, role in ipairs(found or {}) do
    if binding.roles[role] then return true end
  end
  return false
end

return roles
