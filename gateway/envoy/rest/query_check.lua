-- Reads the parameters of a path and a query against the fields of a Protobuf message.
local checks, messages, strings = require("values"), require("rules").messages, require("strings")

local MAX_NAME = 128

local query_check = {}

-- What percent-encoded text says.
local function decode(s)
  return (s:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function fault(reason, field, description, expected)
  return { reason = reason, field = field, description = description, expected = expected }
end

-- The field that a parameter names with dots, and its canonical name; nil for that of the body.
local function find_field(name, binding)
  local message, field, path = binding.query, nil, nil
  for step in (name .. "."):gmatch("([^.]*)%.") do
    field = message and messages[message][step]
    if not field then return nil end
    path = path and path .. "." .. field.name or field.name
    if path == binding.root.name then return nil end
    message = field.message
  end
  return field, path
end

local function value_fault(field, path, text)
  if not strings.is_text(text) then return fault("INVALID_UTF8", path, "must be valid UTF-8") end
  local value = field.each or field
  local check = checks[value.check]
  if value.opens or check and not check("parameter", text) then
    return fault("WRONG_TYPE", path, "must be " .. value.expected, value.expected)
  end
end

local function parameter_fault(pair, binding, seen)
  local name, equals, text = pair:gsub("%+", " "):match("^([^=]*)(=?)(.*)$")
  name, text = decode(name), decode(text)
  if not strings.is_text(name) then
    return fault("INVALID_UTF8", "", "has a parameter's name that is not valid UTF-8")
  end
  local field, path = find_field(name, binding)
  if not field then
    return fault("UNKNOWN_FIELD", name:sub(1, MAX_NAME), "there is no such parameter")
  end
  if seen[path] then return fault("DUPLICATE_FIELD", path, seen[path]) end
  -- The transcoder passes over a parameter without a value.
  if equals == "" and not field.text then
    return fault("WRONG_TYPE", path, "must be " .. field.expected, field.expected)
  end
  if not field.each then seen[path] = "is given more than once" end
  return value_fault(field, path, text)
end

-- The fault of the variables of a path, or nil.
function query_check.path_fault(path, binding)
  local values = { path:match(binding.values) }
  for i, variable in ipairs(binding.variables) do
    local found = value_fault(variable.field, variable.path, decode(values[i]))
    if found then return found end
  end
end

-- The fault of a query, or nil.
function query_check.fault(query, binding)
  local seen = {}
  for _, variable in ipairs(binding.variables) do seen[variable.path] = "is given by the path" end
  for pair in query:gmatch("[^&]+") do
    local found = parameter_fault(pair, binding, seen)
    if found then return found end
  end
end

return query_check
