-- Makes a problem (RFC 9457) of each google.rpc.Status that a service sent and the transcoder wrote as JSON. Nothing is
-- taken out: the members of a problem come first, those of the status follow. What the edge refuses by itself is written
-- by errors.py in the same shape. CODES is put in front of this file: the names of google.rpc.Code by their numbers.

local JSON, PROBLEM = "application/json", "application/problem+json"
local QUOTE = 34
local PRECONDITION_FAILED = "412"

local function string_end(text, start)
  local at = start + 1
  while true do
    local found = text:find('["\\]', at)
    if not found then return nil end
    if text:byte(found) == QUOTE then return found end
    at = found + 2 -- an escaped character
  end
end

local function array_end(text, start)
  local depth, at = 0, start
  while true do
    local found = text:find('["%[%]]', at)
    if not found then return nil end
    local sign = text:sub(found, found)
    if sign == '"' then
      found = string_end(text, found)
      if not found then return nil end
    else
      depth = depth + (sign == "[" and 1 or -1)
      if depth == 0 then return found end
    end
    at = found + 1
  end
end

-- `lines[0].unit_price` in a contract is `lines[0].unitPrice` in JSON.
local function in_json(name)
  return (name:gsub("_(%l)", string.upper))
end

local function with_names_of_json(text, message)
  local first
  text = text:gsub('"field":"([^"\\]*)"', function(name)
    first = first or name
    return '"field":"' .. in_json(name) .. '"'
  end)
  if first and message:sub(2, #first + 2) == first .. ":" then
    message = '"' .. in_json(first) .. message:sub(#first + 2)
  end
  return text, message
end

local function violations(text)
  local _, last = text:find('"fieldViolations":[', 1, true)
  local closed = last and array_end(text, last)
  return closed and text:sub(last, closed)
end

-- Gives nil for what is no status.
local function problem(text, status)
  local code, quote = text:match('^{"code":(%d+),"message":()"')
  local closed = code and string_end(text, quote)
  if not closed then return nil end
  local rest, message = with_names_of_json(text:sub(closed + 1), text:sub(quote, closed))
  local reason = rest:match('"reason":"([%u%d_]+)"') or CODES[tonumber(code)] or "UNKNOWN"
  local title = reason:sub(1, 1) .. reason:sub(2):lower():gsub("_", " ")
  local wrong = violations(rest)
  return string.format(
    '{"type":"/docs#%s","title":"%s","status":%s,"detail":%s,"reason":"%s",%s"code":%s,"message":%s%s',
    reason, title, status, message, reason, wrong and '"errors":' .. wrong .. "," or "", code, message, rest
  ), reason
end

-- Whoever asked for a condition by header is told by the status that belongs to it (RFC 9110, section 15.5.13).
function envoy_on_request(handle)
  if handle:headers():get("if-match") then handle:streamInfo():dynamicMetadata():set("problems", "conditional", true) end
end

local function is_conditional(handle)
  local said = handle:streamInfo():dynamicMetadata():get("problems")
  return said and said["conditional"]
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  if status < "400" or headers:get("content-type") ~= JSON then return end
  local body = handle:body()
  if not body then return end
  local text = body:getBytes(0, body:length())
  if is_conditional(handle) and text:find('"reason":"%u+_CHANGED"') then status = PRECONDITION_FAILED end
  local written = problem(text, status)
  if not written then return end
  headers = handle:headers() -- Envoy let go of the former while it waited for the body.
  headers:replace(":status", status)
  headers:replace("content-type", PROBLEM)
  headers:replace("content-length", tostring(body:setBytes(written)))
  local delay = text:match('"retryDelay":"(%d+)')
  if delay and not headers:get("retry-after") then headers:add("retry-after", delay) end
  if status == "401" and not headers:get("www-authenticate") then headers:add("www-authenticate", "Bearer") end
end
