-- The filter before Envoy's gRPC-JSON transcoder: refuses what the transcoder would drop or answer
-- with bare text, and gives response_body its meaning. It sees no gRPC and no gRPC-Web.
local check_json, query_check = require("json_check"), require("query_check")
local refusal, rules = require("refusal"), require("rules")
local answers, roles = require("answers"), require("roles")

-- The transcoder reads no compressed gRPC.
local COMPRESSION = { "grpc-encoding", "grpc-accept-encoding" }
-- What the transcoder leaves of a gRPC answer.
local REMAINS = { "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding" }

local function remove(headers, names)
  for _, name in ipairs(names) do headers:remove(name) end
end

-- The number of the binding of a path, which ends in a slash, or nil and the methods that the path
-- takes, if it is one.
local function find_binding(path, method)
  local allow
  for _, route in ipairs(rules.routes) do
    if path:find(route.pattern) then
      local binding = route.methods[method] or route.methods["*"]
      if binding then return binding end
      allow = allow or route.allow
    end
  end
  return nil, allow
end

-- What curl says of any -d, and what says nothing, is taken for JSON as well.
local JSON_TYPES =
  { ["application/json"] = true, ["application/x-www-form-urlencoded"] = true, [""] = true }

local function is_json(content_type)
  return JSON_TYPES[content_type] or JSON_TYPES[content_type:lower():match("^[^;%s]*")]
end

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
  if binding.root.raw then return true end
  if not binding.root.field then
    local fault = { reason = "UNKNOWN_FIELD", field = "", description = "takes no body" }
    return refusal.send_fault(handle, fault)
  end
  if not is_json(content_type) or coding ~= "identity" then
    local message = "the body must be application/json, without a content coding"
    return refusal.send(handle, "UNSUPPORTED_CONTENT_TYPE", message, { { "content_type", content_type } })
  end
  local body = buffer:getBytes(0, size)
  local fault = check_json(body, binding.root)
  if fault then return refusal.send_fault(handle, fault) end
  -- The transcoder waits for what may still come after a number.
  if body:byte(-1) >= 0x30 and body:byte(-1) <= 0x39 then buffer:setBytes(body .. "\n") end
  return true
end

local function check(handle)
  local headers = handle:headers()
  local whole, method = headers:get(":path"), headers:get(":method")
  if not whole then -- CONNECT
    return refusal.send(handle, "PATH_NOT_FOUND", "there is no path", { { "path", "" } })
  end
  local path, query = whole:match("^([^?]*)%??(.*)$")
  local slashed = path .. "/"
  local number, allow = find_binding(slashed, method)
  if allow then
    return refusal.send(handle, "METHOD_NOT_ALLOWED", "the path takes " .. allow,
      { { "method", method }, { "allow", allow } }, allow)
  elseif not number then
    return refusal.send(handle, "PATH_NOT_FOUND", "no rpc is bound to this path", { { "path", path } })
  end
  local binding = rules.bindings[number]
  if not roles.allow(headers, binding) then
    return refusal.send(handle, "PERMISSION_DENIED", binding.denied,
      { { "permission", binding.permission } })
  end
  local fault = binding.checked or path:find("[%%\128-\255]")
  fault = fault and query_check.path_fault(slashed, binding)
    or query ~= "" and query_check.fault(query, binding)
  if fault then return refusal.send_fault(handle, fault) end
  -- The transcoder takes the end of ".../verb" for the verb of "...:verb"; not when it is encoded.
  local verb = binding.open and path:match("/([^/]+)$")
  if verb and rules.verbs[verb] then
    local encoded = ("%%%02X"):format(verb:byte()) .. verb:sub(2)
    headers:replace(":path", path:sub(1, -#verb - 1) .. encoded .. whole:sub(#path + 1))
  end
  remove(headers, COMPRESSION)
  if accept_body(handle, binding) then answers.expect(handle, number) end
end

-- Envoy lets pass what a script fails at.
function envoy_on_request(handle)
  local done, failure = pcall(check, handle)
  if not done then
    handle:logErr(tostring(failure))
    refusal.send(handle, "INTERNAL", "an internal error", {})
  end
end

function envoy_on_response(handle)
  remove(handle:headers(), REMAINS)
  answers.rewrite(handle)
end
