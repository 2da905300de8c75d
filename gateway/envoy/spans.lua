-- Before spans are sent: Envoy puts into them what clients wrote. It is made illegible where it
-- stands, so that no length changes.
local WRITTEN_BY_CLIENTS = {
  "http.url", "user_agent", "guid:x-request-id", "http.method", "http.request.method",
  "grpc.path", "grpc.authority", "grpc.content_type", "grpc.timeout", "grpc.message",
}
-- By HTTP/2 a method may be any word.
local KEPT = {
  GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true,
}

-- The number that starts at i, and where it has ended.
local function varint(s, i)
  local value, place = 0, 1
  repeat
    local byte = s:byte(i)
    value = value + byte % 128 * place
    place = place * 128
    i = i + 1
  until byte < 128
  return value, i
end

local function mask(sent, name)
  -- As protobuf has the name of the attribute and begins its value. It starts with a line feed,
  -- which is in no header: no client can write one.
  local key = "\10" .. string.char(#name) .. name .. "\18"
  local kept, start = {}, 1
  while true do
    local _, last = sent:find(key, start, true)
    if not last then break end
    local _, tag = varint(sent, last + 1)
    local length, first = varint(sent, tag + 1)
    local value = sent:sub(first, first + length - 1)
    kept[#kept + 1] = sent:sub(start, first - 1)
    kept[#kept + 1] = KEPT[value] and value or ("*"):rep(length)
    start = first + length
  end
  return table.concat(kept) .. sent:sub(start)
end

function envoy_on_request(handle)
  local buffer = handle:body()
  if not buffer then return end
  local sent = buffer:getBytes(0, buffer:length())
  for _, name in ipairs(WRITTEN_BY_CLIENTS) do sent = mask(sent, name) end
  buffer:setBytes(sent)
end
