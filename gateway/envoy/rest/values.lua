-- Where the transcoder takes more for a value than Protobuf JSON does.
-- token: that of JSON, or "parameter" in a path or query; text: without quotes.
local find = string.find

local checks = {}

function checks.bool(token, text)
  return token == "boolean" or token == "parameter" and (text == "true" or text == "false")
end

-- No hexadecimal numbers.
function checks.float(_, text) return not find(text, "[xX]") end

-- A double cannot tell the numbers below the least one from it.
function checks.int64(token, text)
  return token ~= "number" or text == "-9223372036854775808" or tonumber(text) ~= -2 ^ 63
end

function checks.bytes(_, text) return not find(text, "%s") end

-- No leap seconds.
function checks.timestamp(_, text) return not find(text, ":60", 1, true) end

-- Names in lowerCamelCase, with dots within a path and commas between paths. The transcoder loses
-- an underscore between two capitals.
function checks.field_mask(_, text)
  local paths = "," .. text .. ","
  local strange = find(paths, "[^%w.,]") or find(paths, "[.,][%u.,]") or find(paths, "%u%u")
  return text == "" or not strange
end

return checks
