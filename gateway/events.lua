-- Ends a stream of server-sent events that failed with an event of its own, `error`, whose data is the problem: over REST
-- there is nothing else by which a client could tell a failure from an end. The failure comes in trailers, to which Lua
-- cannot add a body; grpc_web can, so it is put between (events.py), and this replaces the frame that it makes of them.
-- CODES and STATUSES are put in front of this file: for each number of google.rpc.Code its name and its HTTP status.

local FRAME = "\128" -- no letter begins with it, so no event does
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function decoded(base64)
  local bits, count, bytes = 0, 0, {}
  for letter in base64:gmatch("[%w+/]") do
    bits, count = bits * 64 + ALPHABET:find(letter, 1, true) - 1, count + 6
    if count >= 8 then
      count = count - 8
      bytes[#bytes + 1] = string.char(math.floor(bits / 2 ^ count))
      bits = bits % 2 ^ count
    end
  end
  return table.concat(bytes)
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(sign) return ESCAPES[sign] or string.format("\\u%04x", sign:byte()) end) .. '"'
end

-- As gRPC writes messages: what is no plain letter as %XX.
local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The reason is the first field of ErrorInfo, packed into an Any: after its name come two lengths, each behind its tag.
local function reason_in(details)
  return decoded(details):match("google%.rpc%.ErrorInfo\18.-\10.([%u][%u%d_]+)")
end

local function event(trailers, request_id)
  local code = tonumber(trailers["grpc-status"]) or 2
  if code == 0 then return "" end
  local reason = reason_in(trailers["grpc-status-details-bin"] or "") or CODES[code] or "UNKNOWN"
  local title = reason:sub(1, 1) .. reason:sub(2):lower():gsub("_", " ")
  local message = quoted(unescaped(trailers["grpc-message"] or ""))
  return string.format(
    'event: error\ndata: {"type":"/docs#%s","title":"%s","status":%d,"detail":%s,"reason":"%s","code":%d,"message":%s,'
      .. '"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"%s","domain":"ordermesh","metadata":{}},'
      .. '{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":%s,"servingData":""}]}\n\n',
    reason, title, STATUSES[code] or 500, message, reason, code, message, reason, quoted(request_id)
  )
end

function envoy_on_request(handle)
  local headers = handle:headers()
  handle:streamInfo():dynamicMetadata():set("ordermesh.events", "request", headers:get("x-request-id") or "")
  headers:replace("content-type", "application/grpc-web+proto")
  headers:remove("accept") -- in which a client could ask for gRPC-Web as text
end

function envoy_on_response(handle)
  local said = handle:streamInfo():dynamicMetadata():get("ordermesh.events")
  if not (said and said.status) then return end
  handle:headers():replace(":status", said.status)
  handle:headers():replace("content-type", said.type)
  for chunk in handle:bodyChunks() do
    local frame = chunk:getBytes(0, chunk:length())
    if frame:sub(1, 1) == FRAME then
      local trailers = {}
      for name, value in frame:sub(6):gmatch("([^:\r\n]+):([^\r\n]*)") do trailers[name:lower()] = value end
      chunk:setBytes(event(trailers, said.request))
    end
  end
end
