-- Reads a query string against the fields of a Protobuf message.
local kinds, utf8 = require("kinds"), require("utf8")
local messages = require("rules").messages

local MAX_NAME = 128

local query_check = {}

-- What percent-encoded text says.
function query_check.decode(s)
  return (s:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

function query_check.is_text(s)
  return utf8.valid(s, utf8.next_beyond_ascii(s, 1), #s)
end

local function fault(reason, field, description, expected)
  return { reason = reason, field = field, description = description, expected = expected }
end

local function parameter_fault(name, text, fields, seen)
  if not query_check.is_text(name) then
    return fault("INVALID_UTF8", "", "has a parameter's name that is not valid UTF-8")
  end
  local field = fields and fields[name]
  if not field then
    return fault("UNKNOWN_FIELD", name:sub(1, MAX_NAME), "there is no such parameter")
  end
  if seen[field.name] then return fault("DUPLICATE_FIELD", field.name, seen[field.name]) end
  if not query_check.is_text(text) then
    return fault("INVALID_UTF8", field.name, "must be valid UTF-8")
  end
  local is_list = field.kind == "list"
  local value = is_list and field.each or field
  if not kinds.of(value).accepts(text, value) then
    local expected = kinds.expected(value)
    return fault("WRONG_TYPE", field.name, "must be " .. expected, expected)
  end
  if not is_list then seen[field.name] = "is given more than once" end
end

-- The fault of a query, or nil. message: nil if no parameter is allowed. bound: names of fields
-- that the path has given.
function query_check.fault(query, message, bound)
  local seen = {}
  for _, name in ipairs(bound) do seen[name] = "is given by the path" end
  for pair in query:gmatch("[^&]+") do
    local name, text = pair:gsub("%+", " "):match("^([^=]*)=?(.*)$")
    name, text = query_check.decode(name), query_check.decode(text)
    local found = parameter_fault(name, text, messages[message], seen)
    if found then return found end
  end
end

return query_check
