-- Reads a JSON document (RFC 8259) against the fields of a Protobuf message; builds nothing.
local find, byte, sub = string.find, string.byte, string.sub
local kinds, json_strings, utf8 = require("kinds"), require("json_strings"), require("utf8")
local messages = require("rules").messages

local MAX_DEPTH = 32
-- Longer ones are no field's name, and no number, duration, time or enum value.
local MAX_NAME, MAX_WORD = 128, 64
local QUOTE, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, COMMA, COLON = byte('"{}[],:', 1, 7)

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
  local expected = kinds[field.kind].expected
  report("WRONG_TYPE", "must be " .. expected, depth, expected)
end

local function next_byte()
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

-- What a string says; of one too long to mean anything, its plain beginning.
local function word(first, last, escaped, limit)
  if last - first < limit then
    local raw = sub(text, first, last)
    return escaped and json_strings.unescape(raw) or raw
  end
  return string.match(sub(text, first, first + limit - 1), "^[^\\\128-\255]*") .. "..."
end

-- Steps over a number.
local function number_token()
  local first, last, _ = position, find(text, "^-?%d+", position)
  last = _ and last
end
