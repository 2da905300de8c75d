-- The kinds of values of Protobuf JSON: which JSON tokens may stand for one, and which text.
-- The text is that of a number, of a string without its quotes, or of a query parameter.
local match = string.match

local NUMBER, STRING = { number = true }, { string = true }
local NUMBER_OR_STRING = { number = true, string = true }
local DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
-- Of a google.protobuf.Duration: about 10,000 years.
local MAX_DURATION_S = 315576000000

local function is_number(text)
  return match(text, "^-?%d+%.?%d*[eE][+-]?%d+$") or match(text, "^-?%d+%.?%d*$")
end

local function integer(low, high)
  return function(text)
    local number = is_number(text) and tonumber(text)
    return number and number % 1 == 0 and number >= low and number <= high
  end
end

local function is_float(text)
  return is_number(text) or text == "NaN" or text == "Infinity" or text == "-Infinity"
end

local function is_duration(text)
  local seconds, fraction = match(text, "^-?(%d+)(%.?%d*)s$")
  return seconds and #seconds <= 12 and tonumber(seconds) <= MAX_DURATION_S
    and (fraction == "" or #fraction >= 2 and #fraction <= 10)
end

local function days_in(year, month)
  local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return month == 2 and leap and 29 or DAYS[month] or 0
end

local function is_timestamp(text)
  local year, month, day, hour, minute, second, rest =
    match(text, "^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)(.*)$")
  if not year then return false end
  local fraction, zone = match(rest, "^(%.?%d*)(.+)$")
  if not zone or fraction == "." or #fraction > 10 then return false end
  if zone ~= "Z" then
    local zone_hour, zone_minute = match(zone, "^[+-](%d%d):(%d%d)$")
    if not zone_hour or tonumber(zone_hour) > 23 or tonumber(zone_minute) > 59 then return false end
  end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  return year >= 1 and day >= 1 and day <= days_in(year, month)
    and tonumber(hour) <= 23 and tonumber(minute) <= 59 and tonumber(second) <= 59
end

local function any() return true end

local function none() return false end

local KINDS = {
  string = { expected = "a string", tokens = STRING, accepts = any },
  bool = {
    expected = "true or false", tokens = { boolean = true },
    accepts = function(text) return text == "true" or text == "false" end,
  },
  int32 = {
    expected = "an integer of 32 bits", tokens = NUMBER_OR_STRING,
    accepts = integer(-2 ^ 31, 2 ^ 31 - 1),
  },
  uint32 = {
    expected = "an integer of 32 bits, not below 0", tokens = NUMBER_OR_STRING,
    accepts = integer(0, 2 ^ 32 - 1),
  },
  -- Doubles cannot tell the outermost values apart: the transcoder refuses what passes here.
  int64 = {
    expected = "an integer of 64 bits", tokens = NUMBER_OR_STRING,
    accepts = integer(-2 ^ 63, 2 ^ 63),
  },
  uint64 = {
    expected = "an integer of 64 bits, not below 0", tokens = NUMBER_OR_STRING,
    accepts = integer(0, 2 ^ 64),
  },
  double = { expected = "a number", tokens = NUMBER_OR_STRING, accepts = is_float },
  enum = {
    tokens = NUMBER_OR_STRING,
    accepts = function(text, field) return field.values[text] end,
  },
  duration = { expected = 'a duration in seconds such as "1.5s"', tokens = STRING, accepts = is_duration },
  timestamp = {
    expected = 'a time of RFC 3339 such as "2030-01-31T12:00:00Z"', tokens = STRING,
    accepts = is_timestamp,
  },
  message = { expected = "an object", tokens = { object = true }, accepts = none },
  map = { expected = "an object", tokens = { object = true }, accepts = none },
  list = { expected = "an array", tokens = { array = true }, accepts = none },
}

return {
  of = function(field) return KINDS[field.kind] end,
  -- What a value of the field must be, in words.
  expected = function(field) return field.expected or KINDS[field.kind].expected end,
}
