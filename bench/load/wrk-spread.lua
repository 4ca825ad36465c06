-- Like wrk.lua, with GETs spread over /endpoint-0 … in turn. Arguments: "-", number of endpoints.
local requests = {}
local at = 0

function init(args)
  for index = 0, tonumber(args[2]) - 1 do
    requests[#requests + 1] = wrk.format("GET", "/endpoint-" .. index)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"us":%d,"p50":%d,"p99":%d,"bad":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
