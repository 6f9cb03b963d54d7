-- Refuses a JSON body with a name that its message does not have, or with one name twice: the transcoder would leave out
-- the one, and of the other believe the last. It also takes what is no JSON (RFC 8259), names without quotes among it,
-- which would be read here in one way and there in another, so whatever has another structure than JSON ends here as well.
-- Values are the transcoder's business. What is wrong with a field is told as metadata, which errors.py makes a problem of.
-- names.py puts MESSAGES in front of this file: the names of each message's fields, with the one that both spellings mean,
-- what is inside, and whether it is a map.

local byte, find, sub = string.byte, string.find, string.sub
local QUOTE, COMMA, COLON = 34, 44, 58
local BRACKET, BRACKET_END, BRACE, BRACE_END = 91, 93, 123, 125
local DEEPEST = 100
-- How many letters a name may be away from one that is meant, and how much of it is looked at.
local FARTHEST, LONGEST_NAME = 2, 64
local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- A shape is what an object may hold: `fields`, or of a map `values` of one shape. What has no shape may hold anything.
local SHAPES = {}
for message in pairs(MESSAGES) do SHAPES[message] = {} end
for message, names in pairs(MESSAGES) do
  local fields = {}
  for spelling, said in pairs(names) do
    local inside = SHAPES[said[2]]
    fields[spelling] = { name = said[1], shape = said[3] and { values = inside } or inside }
  end
  SHAPES[message].fields = fields
end

-- The body that is being read, and the way to where it is read: nothing waits meanwhile, so no other comes between.
local text, path

local function malformed(what) error({ message = "the body is " .. what }, 0) end

local function expected(what, at) malformed("no JSON: " .. what .. " was expected at byte " .. at) end

-- Cut anywhere, a name may be no UTF-8 any more.
local function plain(name) return (name:sub(1, LONGEST_NAME):gsub("[^%w%p ]", "?")) end

local function place(depth)
  local words = {}
  for level = 1, depth do
    local part = path[level]
    if type(part) == "number" then
      words[level] = "[" .. part .. "]"
    else
      words[level] = (level > 1 and "." or "") .. plain(part)
    end
  end
  return table.concat(words)
end

local function invalid(depth, reason, description)
  local field = place(depth)
  error({ message = field .. ": " .. description, field = field, reason = reason, description = description }, 0)
end

-- Levenshtein's distance.
local function distance(one, other)
  local row = {}
  for j = 0, #other do row[j] = j end
  for i = 1, #one do
    local diagonal, left = row[0], i
    row[0] = i
    for j = 1, #other do
      local cost = byte(one, i) == byte(other, j) and 0 or 1
      left, diagonal = math.min(row[j] + 1, left + 1, diagonal + cost), row[j]
      row[j] = left
    end
  end
  return row[#other]
end

local function unknown(depth, name, fields)
  local nearest, least = nil, math.min(FARTHEST, math.floor(#name / 3)) + 1
  for spelling, field in pairs(#name <= LONGEST_NAME and fields or {}) do
    local far = distance(name:lower(), spelling:lower())
    if far < least or (far == least and nearest and field.name < nearest) then nearest, least = field.name, far end
  end
  local hint = nearest and "; did you mean " .. nearest .. "?" or ""
  invalid(depth, "FIELD_UNKNOWN", "there is no such field" .. hint)
end

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

-- So that `\u0069d` is `id`; letters beyond the basic plane stay the two halves that JSON writes them in.
local function unescaped(name)
  return (name:gsub("\\(.)(%x?%x?%x?%x?)", function(sign, hex)
    if sign ~= "u" then return (ESCAPES[sign] or sign) .. hex end
    return #hex == 4 and utf8(tonumber(hex, 16)) or "?"
  end))
end

local function skip(at)
  local next = byte(text, at)
  if next and next > 32 then return at end
  return find(text, "[^ \t\r\n]", at) or #text + 1
end

local function string_end(at)
  local from = at + 1
  while true do
    local found = find(text, '["\\]', from)
    if not found then expected("the end of a string that begins", at) end
    if byte(text, found) == QUOTE then return found end
    from = found + 2
  end
end

local value

local function array(at, shape, depth)
  local index = 0
  at = skip(at + 1)
  if byte(text, at) == BRACKET_END then return at + 1 end
  while true do
    path[depth] = index
    at = skip(value(at, shape, depth))
    local sign = byte(text, at)
    if sign == BRACKET_END then return at + 1 end
    if sign ~= COMMA then expected("a comma or ]", at) end
    index, at = index + 1, skip(at + 1)
  end
end

local function name_at(at)
  if byte(text, at) ~= QUOTE then expected("a name in double quotes", at) end
  local closed = string_end(at)
  local name = sub(text, at + 1, closed - 1)
  if find(name, "\\", 1, true) then name = unescaped(name) end
  return name, closed
end

local function object(at, shape, depth)
  local fields, seen = shape and shape.fields, {}
  local inside = shape and shape.values
  at = skip(at + 1)
  if byte(text, at) == BRACE_END then return at + 1 end
  while true do
    local name, closed = name_at(at)
    path[depth] = name
    if fields then
      local field = fields[name]
      if not field then unknown(depth, name, fields) end
      name, inside = field.name, field.shape
    end
    if seen[name] then invalid(depth, "FIELD_DOUBLED", "the name comes twice") end
    seen[name] = true
    at = skip(closed + 1)
    if byte(text, at) ~= COLON then expected("a colon", at) end
    at = skip(value(skip(at + 1), inside, depth))
    local sign = byte(text, at)
    if sign == BRACE_END then return at + 1 end
    if sign ~= COMMA then expected("a comma or }", at) end
    at = skip(at + 1)
  end
end

-- Reads what begins at a byte, `depth` levels inside, and gives the byte after it.
function value(at, shape, depth)
  local sign = byte(text, at)
  if sign == QUOTE then return string_end(at) + 1 end
  if sign == BRACE or sign == BRACKET then
    if depth == DEEPEST then malformed("nested deeper than " .. DEEPEST .. " levels") end
    return (sign == BRACE and object or array)(at, shape, depth + 1)
  end
  local _, last = find(text, "^[%w.+-]+", at)
  if not last then expected("a value", at) end
  return last + 1
end

local function read(message)
  local at = skip(value(skip(1), SHAPES[message], 0))
  if at <= #text then expected("nothing more", at) end
end

function envoy_on_request(handle)
  local message = handle:metadata():get("message")
  local body = message and handle:body()
  if not body or body:length() == 0 then return end
  text, path = body:getBytes(0, body:length()), {}
  local fine, wrong = pcall(read, message)
  text, path = nil, nil
  if fine then return end
  if type(wrong) ~= "table" then error(wrong, 0) end
  if wrong.field then
    local metadata = handle:streamInfo():dynamicMetadata()
    for key, said in pairs(wrong) do metadata:set(FILTER, key, said) end
  end
  handle:respond({ [":status"] = "400" }, wrong.message)
end
