-- Refuses a request with a google.rpc.Status as JSON, the same as the transcoder makes of the
-- errors of the application.
local strings, rules = require("strings"), require("rules")

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(s)
  if not strings.is_text(s) then s = s:gsub("[\128-\255]", "?") end
  return '"' .. s:gsub('["\\%z\1-\31]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end) .. '"'
end

-- metadata: a list of {name, value}.
local function error_info(reason, metadata)
  local entries = {}
  for i, entry in ipairs(metadata) do entries[i] = quoted(entry[1]) .. ":" .. quoted(entry[2]) end
  return '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"' .. reason
    .. '","domain":"' .. rules.domain .. '","metadata":{' .. table.concat(entries, ",") .. "}}"
end

local function bad_request(reason, field, description)
  return '{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":'
    .. quoted(field) .. ',"description":' .. quoted(description) .. ',"reason":"' .. reason .. '"}]}'
end

local function status(reason, message, details)
  return '{"code":' .. rules.reasons[reason].code .. ',"message":' .. quoted(message)
    .. ',"details":[' .. details .. "]}"
end

local refusal = {}

-- For the access log.
function refusal.note(handle, reason)
  local noted = handle:streamInfo():dynamicMetadata()
  noted:set("access_log", "reason", reason)
  noted:set("access_log", "grpc_status", rules.reasons[reason].status)
end

-- The Status of what a check has found: {reason, description, field, expected or position}.
function refusal.status_of(fault)
  if fault.position then
    local position = tostring(fault.position)
    local message = "the body is not JSON: " .. fault.description .. " at byte " .. position
    return status(fault.reason, message, error_info(fault.reason, { { "position", position } }))
  end
  local message = (fault.field == "" and "the request" or fault.field) .. ": " .. fault.description
  local metadata = { { "field", fault.field } }
  if fault.expected then metadata[2] = { "expected", fault.expected } end
  local details = error_info(fault.reason, metadata) .. ","
    .. bad_request(fault.reason, fault.field, fault.description)
  return status(fault.reason, message, details)
end

local function respond(handle, reason, body, allow)
  local http = rules.reasons[reason].http
  refusal.note(handle, reason)
  handle:respond({ [":status"] = http, ["content-type"] = "application/json", allow = allow }, body)
end

function refusal.send(handle, reason, message, metadata, allow)
  respond(handle, reason, status(reason, message, error_info(reason, metadata)), allow)
end

function refusal.send_fault(handle, fault)
  respond(handle, fault.reason, refusal.status_of(fault))
end

return refusal
