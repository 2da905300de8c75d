-- Reads a JSON document (RFC 8259) against the names of a Protobuf message; builds nothing, and
-- leaves the values to the transcoder.
local find, byte, sub = string.find, string.byte, string.sub
local checks, strings = require("values"), require("strings")
local rules = require("rules")
local messages = rules.messages

-- As deep as Protobuf reads messages.
local MAX_DEPTH = 100
-- Longer steps of a path are cut.
local MAX_NAME = 128
-- A whole number with more of them may be beyond a double.
local MAX_DIGITS = 308
local SPACE, QUOTE, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, COMMA, COLON =
  byte(' "{}[],:', 1, 8)
local LITERALS = {
  [byte("n")] = { "null", "^null" },
  [byte("t")] = { "boolean", "^true" },
  [byte("f")] = { "boolean", "^false" },
}

-- The document that is being checked. The check does not yield, so one set serves all requests.
-- trail: the names and indexes that lead to the value being read. fault: the first one found; after
-- it the scan only looks for broken JSON, so that "this is no JSON" always comes first. type_urls:
-- the "@type" of each object in an Any, or false, by where it starts; nil before the first Any.
local text, position, trail, fault, type_urls

-- Ends the scan.
local function malformed(what, at)
  error({ reason = "MALFORMED_JSON", description = what, position = (at or position) - 1 }, 0)
end

local function path(depth)
  local parts = {}
  for i = 1, depth do
    local step = trail[i]
    if type(step) == "number" then
      parts[i] = "[" .. step .. "]"
    else
      step = #step > MAX_NAME and sub(step, 1, MAX_NAME) .. "..." or step
      parts[i] = i > 1 and "." .. step or step
    end
  end
  return table.concat(parts)
end

local function report(reason, description, depth, expected)
  fault = fault
    or { reason = reason, description = description, field = path(depth), expected = expected }
end

local function wrong_type(expected, depth)
  report("WRONG_TYPE", "must be " .. expected, depth, expected)
end

local function next_byte()
  local c = byte(text, position)
  if c and c > SPACE then return c end
  position = find(text, "[^ \t\r\n]", position) or #text + 1
  return byte(text, position)
end

-- Steps over a string and gives its first and last byte, without the quotes, and whether there are
-- escapes in it.
local function string_token(depth)
  local first = position + 1
  local last, escaped, is_text = strings.read(text, first)
  if not last then malformed(escaped, is_text) end
  position = last + 2
  if not is_text then report("INVALID_UTF8", "must be valid Unicode", depth) end
  return first, last, escaped
end

local function word(first, last, escaped)
  local raw = sub(text, first, last)
  return escaped and not fault and strings.unescape(raw) or raw
end

-- Steps over a number, true, false or null and gives its token, its first and its last byte.
local function literal_token(depth)
  local first = position
  local token, pattern = "number", "^-?%d+"
  local literal = LITERALS[byte(text, first)]
  if literal then token, pattern = literal[1], literal[2] end
  local _, last = find(text, pattern, first)
  if not last or not literal and last > first and find(text, "^-?0%d", first) then
    malformed("not a value")
  end
  if not literal and (last - first > MAX_DIGITS or find(text, "^[.eE]", last + 1)) then
    local _, fraction = find(text, "^%.%d+", last + 1)
    local _, exponent = find(text, "^[eE][+-]?%d+", (fraction or last) + 1)
    last = exponent or fraction or last
    local number = sub(text, first, last)
    -- Of an exponent of many digits Lua makes nil.
    local size = math.abs(tonumber(number) or find(number, "-", 2, true) and 0 or math.huge)
    if size == math.huge then
      wrong_type("a number that a double can hold", depth)
    end
  end
  position = last + 1
  return token, first, last
end

local function scalar(field, depth)
  local token, first, last, escaped = "string", nil, nil, nil
  if byte(text, position) == QUOTE then
    first, last, escaped = string_token(depth)
  else
    token, first, last = literal_token(depth)
  end
  -- null leaves a field unset; the elements of a list or map have no name and take none.
  if not field or fault or token == "null" and field.name then return end
  local check, fits = checks[field.check], token ~= "null" and not field.opens
  if not fits or check and not check(token, word(first, last, escaped)) then
    wrong_type(field.expected, depth)
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

-- Judges the name of a member, and gives the field that its value must be, if there is one.
-- members: the fields of the object; nil: it takes any name.
local function member(name, field, members, seen, taken, depth)
  local found = members and members[name] or field and field.entry
  local key = found and found.name or name
  trail[depth] = key
  if members and not found then
    report("UNKNOWN_FIELD", "there is no such field", depth)
  elseif seen[key] or taken and taken[key] == true then
    local what = seen[key] and "is given more than once" or "is given by the path"
    report("DUPLICATE_FIELD", what, depth)
  elseif field and field.keys == "bool" and name ~= "true" and name ~= "false" then
    wrong_type("true or false as its key", depth)
  end
  seen[key] = true
  return found
end

local value, any_members

local function object(field, taken, depth)
  local start, seen = position, {}
  local members = field and messages[field.message]
  if field and field.message == "google.protobuf.Any" then members = any_members(depth) end
  if type_urls then type_urls[start] = type_urls[start] or false end
  if is_empty(CLOSE_OBJECT) then return end
  repeat
    if next_byte() ~= QUOTE then malformed("expected a name in quotes") end
    local name = word(string_token(depth - 1))
    local found = not fault and member(name, field, members, seen, taken, depth) or nil
    if next_byte() ~= COLON then malformed('expected ":"') end
    position = position + 1
    local url = type_urls and name == "@type" and next_byte() == QUOTE and position + 1
    value(found, taken and found and taken[found.name], depth)
    if url then type_urls[start] = strings.unescape(sub(text, url, position - 2)) end
  until not another(CLOSE_OBJECT)
end

-- The members of an Any: those of the type that it names. As "@type" may stand behind them, the
-- object is read twice; not more often, however many are one in the other.
function any_members(depth)
  local start = position
  type_urls = type_urls or {}
  if type_urls[start] == nil then
    object(nil, nil, depth)
    position = start
  end
  return rules.types[type_urls[start]]
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
-- taken: the fields in it that the path gives.
function value(field, taken, depth)
  local c = next_byte()
  if field and field.any then field = nil end
  if c ~= OPEN_OBJECT and c ~= OPEN_ARRAY then return scalar(field, depth) end
  if depth == MAX_DEPTH then malformed("nested too deeply") end
  if field and field.opens ~= c then
    wrong_type(field.expected, depth)
    field = nil
  end
  if c == OPEN_OBJECT then
    object(field, taken, depth + 1)
  else
    array(field and field.each, depth + 1)
  end
end

local function document(root)
  value(root.field, root.taken, #trail)
  if next_byte() then malformed("more than one value") end
end

-- The fault of a document, or nil: {reason, description} with the field and what was expected
-- there, or with the position (in bytes, from 0) where the JSON breaks.
-- root: the field that the document must be, its name if it is not the whole message, and what of
-- it the path gives.
return function(body, root)
  text, position, trail, fault, type_urls = body, 1, { root.name }, nil, nil
  local whole, broken = pcall(document, root)
  text = nil
  if whole then return fault end
  if type(broken) ~= "table" then error(broken, 0) end
  return broken
end
