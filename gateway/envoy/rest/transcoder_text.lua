-- Reads what the transcoder says of a value that it refuses, as
-- 'many[1].an_int32: invalid value "x" for type TYPE_INT32'. The value stays behind: it is payload.
local find, sub = string.find, string.sub
local messages = require("rules").messages

-- The end of the text, with the type; what comes before may be as long as a body.
local MAX_TYPE = 512

-- The field at a place in a message, and its name as far as the place can be trusted: it has no
-- keys of maps, and no indexes of lists of values.
local function locate(place, message)
  local names, field = {}, nil
  for name, index in place:gmatch("([%w_]+)([^.]*)") do
    local found = messages[message] and messages[message][name]
    if not found then break end
    field = found.each or found
    message = field.message
    names[#names + 1] = found.name .. (message and index or "")
  end
  return table.concat(names, "."), field or {}
end

-- The fault that the text tells of, or nil if it tells of none. message: the type of the request.
return function(text, message)
  local last, first = find(text, ": invalid value ", 1, true)
  local kind = sub(text, -MAX_TYPE):match(" for type (%S+)$")
  if not last or not kind then return nil end
  local path, field = locate(sub(text, 1, last - 1), message)
  if kind == "oneof" then
    local other = text:match("Cannot set '([%w_]+)'", first)
    return {
      reason = "DUPLICATE_FIELD", field = path == "" and other or path .. "." .. other,
      description = "is given beside another field of its oneof",
    }
  end
  -- Objects and arrays were seen to be some: what is wrong is in them.
  local judged = field.entry and sub(text, last - 4, last - 1) ~= ".key" and field.entry or field
  local expected = not judged.opens and judged.expected or "a value of its type"
  return {
    reason = "WRONG_TYPE", field = path, expected = expected, description = "must be " .. expected,
  }
end
