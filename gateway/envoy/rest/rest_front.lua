-- The filter before Envoy's gRPC-JSON transcoder: refuses what the transcoder would drop or answer
-- with bare text, and gives response_body its meaning. It sees no gRPC and no gRPC-Web.
local check_json, query_check = require("json_check"), require("query_check")
local refusal, rules = require("refusal"), require("rules")

-- Where a request leaves word for its response.
local METADATA = "rest_front"
-- The transcoder reads no compressed gRPC.
local COMPRESSION = { "grpc-encoding", "grpc-accept-encoding" }
-- What the transcoder leaves of a gRPC answer.
local REMAINS = { "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding" }

local function remove(headers, names)
  for _, name in ipairs(names) do headers:remove(name) end
end

-- The binding's methods and the path's values, or nil.
local function find_route(path)
  for _, route in ipairs(rules.routes) do
    local values = { path:match(route.pattern) }
    if values[1] then return route, values end
  end
end

local function path_fault(bound, values)
  for i, name in ipairs(bound) do
    if not query_check.is_text(query_check.decode(values[i])) then
      return { reason = "INVALID_UTF8", field = name, description = "must be valid UTF-8" }
    end
  end
end

-- What curl says of any -d, and what says nothing, is taken for JSON as well.
local JSON_TYPES =
  { ["application/json"] = true, ["application/x-www-form-urlencoded"] = true, [""] = true }

local function refuse_size(handle)
  local limit = tostring(rules.max_body_bytes)
  local message = "the body is larger than " .. limit .. " bytes"
  refusal.send(handle, "MESSAGE_TOO_LARGE", message, { { "max_bytes", limit } })
end

-- Whether the body may go on; waits for all of it.
local function accept_body(handle, binding)
  local headers = handle:headers()
  if tonumber(headers:get("content-length") or 0) > rules.max_body_bytes then
    return refuse_size(handle)
  end
  local content_type = headers:get("content-type") or ""
  local coding = headers:get("content-encoding") or "identity"
  local buffer = handle:body()
  local size = buffer and buffer:length() or 0
  if size == 0 then return true end
  if size > rules.max_body_bytes then return refuse_size(handle) end
  if not binding.body then
    local fault = { reason = "UNKNOWN_FIELD", field = "", description = "takes no body" }
    return refusal.send_fault(handle, fault)
  end
  if not JSON_TYPES[content_type:lower():match("^[^;%s]*")] or coding ~= "identity" then
    local message = "the body must be application/json, without a content coding"
    return refusal.send(handle, "UNSUPPORTED_CONTENT_TYPE", message, { { "content_type", content_type } })
  end
  local fault = check_json(buffer:getBytes(0, size), binding.message, binding.bound)
  if fault then return refusal.send_fault(handle, fault) end
  return true
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  local route, values = find_route(path)
  if not route then
    return refusal.send(handle, "PATH_NOT_FOUND", "no rpc is bound to this path", { { "path", path } })
  end
  local method = headers:get(":method")
  local binding = route.methods[method]
  if not binding then
    return refusal.send(handle, "METHOD_NOT_ALLOWED", "the path takes " .. route.allow,
      { { "method", method }, { "allow", route.allow } }, { allow = route.allow })
  end
  local fault = path_fault(binding.bound, values)
    or query_check.fault(query, not binding.body and binding.message, binding.bound)
  if fault then return refusal.send_fault(handle, fault) end
  remove(headers, COMPRESSION)
  if accept_body(handle, binding) and binding.response_body then
    handle:streamInfo():dynamicMetadata():set(METADATA, "response_body", binding.response_body)
  end
end

-- Answers with the one field of the message that is the response_body: {"prediction":X} becomes X.
function envoy_on_response(handle)
  remove(handle:headers(), REMAINS)
  local name = (handle:streamInfo():dynamicMetadata():get(METADATA) or {}).response_body
  if not name or handle:headers():get(":status") ~= "200" then return end
  local buffer = handle:body(true)
  local body = buffer:getBytes(0, buffer:length())
  local prefix = '{"' .. name .. '":'
  if body:sub(1, #prefix) == prefix then buffer:setBytes(body:sub(#prefix + 1, -2)) end
end
