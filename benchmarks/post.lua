-- wrk script: posts the lines of a file, one JSON body each, in turn.
-- wrk ... -s post.lua URL -- FILE [TOKEN]
local requests, at = {}, 0

function init(args)
  local headers = { ["content-type"] = "application/json" }
  if args[2] then headers["authorization"] = "Bearer " .. args[2] end
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, line)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"answers": %d, "failed": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests - errors.status,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
