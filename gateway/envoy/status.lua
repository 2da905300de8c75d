-- Notes for the access log which status a gRPC answer has, in its headers or its trailers; the latter
-- come when all of it has passed.
function envoy_on_response(handle)
  local status = handle:headers():get("grpc-status")
  if not status then
    local trailers = handle:trailers()
    status = trailers and trailers:get("grpc-status")
  end
  local name = status and NAMES[status]
  if name then handle:streamInfo():dynamicMetadata():set("access_log", "grpc_status", name) end
end
