-- Reads a JSON document (RFC 8259) against the fields of a Protobuf message; builds nothing.
local find, byte, sub = string.find, string.byte, string.sub
local kinds, json_strings, utf8 = require("kinds"), require("json_strings"), require("utf8")
local messages = require("rules").messages

local MAX_DEPTH = 32
-- Longer ones are no field's name, and no number, duration, time or enum value.
local MAX_NAME, MAX_WORD = 128, 64
local SPACE, QUOTE, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, COMMA, COLON =
  byte(' "{}[],:', 1, 8)
local LITERALS = {
  [byte("n")] = { "null", "^null" },
  [byte("t")] = { "boolean", "^true" },
  [byte("f")] = { "boolean", "^false" },
}

-- The document that is being checked. The check does not yield, so one set serves all requests.
-- beyond_ascii: the next byte of the text that is not ASCII. trail: the names and indexes that lead
-- to the value being read. fault: the first one found; after it the scan only looks for broken
-- JSON, so that "this is no JSON" always comes first.
local text, position, beyond_ascii, trail, fault

-- Ends the scan.
local function malformed(what)
  error({ reason = "MALFORMED_JSON", description = what, position = position - 1 }, 0)
end

local function path(depth)
  local parts = {}
  for i = 1, depth do
    local step = trail[i]
    parts[i] = type(step) == "number" and "[" .. step .. "]" or (i > 1 and "." or "") .. step
  end
  return table.concat(parts)
end

local function report(reason, description, depth, expected)
  fault = fault
    or { reason = reason, description = description, field = path(depth), expected = expected }
end

local function wrong_type(field, depth)
  local expected = kinds.expected(field)
  report("WRONG_TYPE", "must be " .. expected, depth, expected)
end

local function next_byte()
  local c = byte(text, position)
  if c and c > SPACE then return c end
  position = find(text, "[^ \t\r\n]", position) or #text + 1
  return byte(text, position)
end

-- Steps over a string. Gives its first and last byte, without the quotes, and whether there are
-- escapes in it.
local function string_token(depth)
  local first = position + 1
  local last, escaped, whole = json_strings.read(text, first)
  if not last then
    position = whole
    malformed(escaped)
  end
  position = last + 2
  if beyond_ascii < first then beyond_ascii = utf8.next_beyond_ascii(text, first) end
  if not whole or not utf8.valid(text, beyond_ascii, last) then
    report("INVALID_UTF8", "must be valid Unicode", depth)
  end
  return first, last, escaped
end

-- What a string says; of one too long to mean anything, its beginning as it was sent.
local function word(first, last, escaped, limit)
  if last - first >= limit then return sub(text, first, first + limit - 1) .. "..." end
  local raw = sub(text, first, last)
  return escaped and json_strings.unescape(raw) or raw
end

-- Steps over a number, true, false or null. Gives its token, its first and its last byte.
local function literal_token()
  local first = position
  local token, pattern = "number", "^-?%d+"
  local literal = LITERALS[byte(text, first)]
  if literal then token, pattern = literal[1], literal[2] end
  local _, last = find(text, pattern, first)
  if not last or not literal and last > first and find(text, "^-?0%d", first) then
    malformed("not a value")
  end
  if not literal and find(text, "^[.eE]", last + 1) then
    local _, fraction = find(text, "^%.%d+", last + 1)
    local _, exponent = find(text, "^[eE][+-]?%d+", (fraction or last) + 1)
    last = exponent or fraction or last
  end
  position = last + 1
  return token, first, last
end

local function scalar(field, depth)
  local token, first, last, escaped = "string", nil, nil, nil
  if byte(text, position) == QUOTE then
    first, last, escaped = string_token(depth)
  else
    token, first, last = literal_token()
  end
  -- null leaves a field unset; the elements of a list or map have no name and take none.
  if not field or fault or (token == "null" and field.name) then return end
  local kind = kinds.of(field)
  if not (kind.tokens[token] and kind.accepts(word(first, last, escaped, MAX_WORD), field)) then
    wrong_type(field, depth)
  end
end

-- Steps over what follows a member or an element. Gives whether another one comes.
local function another(close)
  local c = next_byte()
  if c ~= COMMA and c ~= close then
    malformed('expected "," or "' .. string.char(close) .. '"')
  end
  position = position + 1
  return c == COMMA
end

local function is_empty(close)
  position = position + 1
  local empty = next_byte() == close
  if empty then position = position + 1 end
  return empty
end

-- Steps over the name of a member. Gives the field that its value must be.
local function member(field, seen, depth)
  local first, last, escaped = string_token(depth - 1)
  if not field or fault then return nil end
  local name = word(first, last, escaped, MAX_NAME)
  local found = field.each or messages[field.message][name]
  local key = found and found.name or name
  trail[depth] = key
  if not found then
    report("UNKNOWN_FIELD", "there is no such field", depth)
  elseif seen[key] then
    report("DUPLICATE_FIELD", seen[key], depth)
  end
  seen[key] = "is given more than once"
  return found
end

local value

local function object(field, seen, depth)
  if is_empty(CLOSE_OBJECT) then return end
  repeat
    if next_byte() ~= QUOTE then malformed("expected a name in quotes") end
    local member_field = member(field, seen, depth)
    if next_byte() ~= COLON then malformed('expected ":"') end
    position = position + 1
    value(member_field, nil, depth)
  until not another(CLOSE_OBJECT)
end

local function array(each, depth)
  if is_empty(CLOSE_ARRAY) then return end
  local index = 0
  repeat
    trail[depth] = index
    value(each, nil, depth)
    index = index + 1
  until not another(CLOSE_ARRAY)
end

-- field: what the value must be; nil takes anything. Its place is trail[1..depth].
-- seen: of an object, what there is to say of a member that comes again.
function value(field, seen, depth)
  local c = next_byte()
  if c ~= OPEN_OBJECT and c ~= OPEN_ARRAY then return scalar(field, depth) end
  if depth == MAX_DEPTH then malformed("nested too deeply") end
  local token = c == OPEN_OBJECT and "object" or "array"
  if field and not kinds.of(field).tokens[token] then
    wrong_type(field, depth)
    field = nil
  end
  if c == OPEN_OBJECT then
    object(field, seen or {}, depth + 1)
  else
    array(field and field.each, depth + 1)
  end
end

local function document(message, seen)
  value({ kind = "message", message = message }, seen, 0)
  if next_byte() then malformed("more than one value") end
end

-- The fault of a document that should be a message, or nil: {reason, description} with the field
-- and what was expected there, or with the position (in bytes, from 0) where the JSON breaks.
-- bound: names of fields that the path has given.
return function(body, message, bound)
  text, position, beyond_ascii, trail, fault = body, 1, 0, {}, nil
  local seen = {}
  for _, name in ipairs(bound) do seen[name] = "is given by the path" end
  local whole, broken = pcall(document, message, seen)
  text = nil
  if whole then return fault end
  if type(broken) ~= "table" then error(broken, 0) end
  return broken
end
