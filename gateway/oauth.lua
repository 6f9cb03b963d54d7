-- The replies of OAuth 2 endpoints: with the status that the method chose, and of a refusal that never reached it the
-- error of RFC 6749, section 5.2. Clients take whatever has no "error" in it for a token.
local CODES = { ["401"] = "invalid_client", ["429"] = "temporarily_unavailable" }

function envoy_on_response(reply)
  local headers = reply:headers()
  local chosen = headers:get("x-ordermesh-status")
  if chosen then
    headers:remove("x-ordermesh-status")
    headers:replace(":status", chosen)
    return
  end
  local status = headers:get(":status")
  if tonumber(status) < 400 then
    return
  end
  local code = CODES[status] or (tonumber(status) < 500 and "invalid_request" or "temporarily_unavailable")
  local text = string.format('{"error": "%s", "error_description": "refused with HTTP status %s"}', code, status)
  local length = reply:body(true):setBytes(text)
  headers = reply:headers() -- Envoy let go of the former while it waited for the body.
  headers:replace("content-length", tostring(length))
  headers:replace("content-type", "application/json")
  headers:replace("cache-control", "no-store")
end
