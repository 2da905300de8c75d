-- Before spans are sent: Envoy puts the message of an error into its span, and that may quote what a
-- client wrote. It is made illegible where it stands, so that no length changes.
local KEY = "\10\12grpc.message\18" -- as protobuf has the name of the attribute and begins its value

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

function envoy_on_request(handle)
  local buffer = handle:body()
  if not buffer then return end
  local sent, kept, start = buffer:getBytes(0, buffer:length()), {}, 1
  while true do
    local _, last = sent:find(KEY, start, true)
    if not last then break end
    local _, tag = varint(sent, last + 1)
    local length, first = varint(sent, tag + 1)
    kept[#kept + 1] = sent:sub(start, first - 1) .. ("*"):rep(length)
    start = first + length
  end
  if start > 1 then buffer:setBytes(table.concat(kept) .. sent:sub(start)) end
end
