-- Makes of what the transcoder answers what the contract promises: the response_body alone, and a
-- google.rpc.Status where the transcoder refuses a value with bare text.
local byte, find, sub = string.byte, string.find, string.sub
local strings, read_refusal = require("strings"), require("transcoder_text")
local refusal, rules = require("refusal"), require("rules")

-- Where a request leaves word for its answer.
local METADATA = "rest_front"
local QUOTE, COMMA, CLOSE_OBJECT = byte('",}', 1, 3)
local NESTING = { [byte("{")] = 1, [byte("[")] = 1, [CLOSE_OBJECT] = -1, [byte("]")] = -1 }
local MALFORMED =
  { reason = "MALFORMED_MESSAGE", field = "", description = "is malformed" }

local answers = {}

-- Remembers which binding was called.
function answers.expect(handle, number)
  handle:streamInfo():dynamicMetadata():set(METADATA, "binding", number)
end

-- The last byte of the member's value that starts at i, in an object without white space.
local function value_end(text, i)
  local depth, c = 0, byte(text, i)
  repeat
    if c == QUOTE then i = strings.read(text, i + 1) + 1 end
    depth = depth + (NESTING[c] or 0)
    i = i + 1
    c = byte(text, i)
  until depth == 0 and (c == COMMA or c == CLOSE_OBJECT)
  return i - 1
end

-- The text of the field that is the response_body.
local function cut(text, response)
  local name = response.name
  if response.alone and sub(text, 2, #name + 1) == name then return sub(text, #name + 2, -2) end
  local i = 2
  while byte(text, i) == QUOTE do
    local first = find(text, ":", i, true) + 1
    local last = value_end(text, first)
    if sub(text, i, first - 1) == name then return sub(text, first, last) end
    i = last + 2
  end
  return response.unset
end

local function cut_events(handle, response)
  for chunk in handle:bodyChunks() do
    local events = chunk:getBytes(0, chunk:length())
    chunk:setBytes((events:gsub("data: ([^\n]*)\n\n", function(event)
      return "data: " .. cut(event, response) .. "\n\n"
    end)))
  end
end

function answers.rewrite(handle)
  local word = handle:streamInfo():dynamicMetadata():get(METADATA)
  if not word then return end
  local binding = rules.bindings[word.binding]
  local headers, response = handle:headers(), binding.response
  local status = headers:get(":status")
  if status == "200" then
    if not response then return end
    if response.stream then return cut_events(handle, response) end
    local buffer = handle:body(true)
    buffer:setBytes(cut(buffer:getBytes(0, buffer:length()), response))
  elseif status == "400" and headers:get("content-type") == "text/plain" then
    local buffer = handle:body(true)
    local fault = read_refusal(buffer:getBytes(0, buffer:length()), binding.message) or MALFORMED
    refusal.note(handle, fault.reason)
    local length = buffer:setBytes(refusal.status_of(fault))
    headers = handle:headers()  -- those from before the wait for the body are gone
    headers:replace("content-type", "application/json")
    headers:replace("content-length", tostring(length))
  end
end

return answers
