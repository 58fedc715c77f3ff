-- One kind of request for wrk, and its figures as one line of JSON at the end.
--
-- Arguments: kind, spaces, first, [name], [pause]
--   reserve  a new slot in one of `spaces` spaces in turn: nothing overlaps, whatever the rounds before took,
--            as long as `first` goes on where they ended
--   bare     the same bodies, all to "/"
--   get      the state of one of `spaces` spaces in turn
--   document the document of one of `spaces` spaces in turn
--   retry    one keyed reservation, again and again
-- `name` begins the spaces' ids; `pause` is how many milliseconds each connection waits before a request.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local kind, spaces, name, day, date, tomorrow
issued = 0 -- global, for `done`

function init(args)
  kind, spaces, issued, name = args[1], tonumber(args[2]), tonumber(args[3]), args[4] or ""
  first = issued
  local pause = tonumber(args[5]) or 0
  if pause > 0 then
    function delay() return pause end
  end
  if kind == "retry" then
    constant = post("/booking/spaces/" .. name .. "0/reservations", body(0), 'Idempotency-Key: "retried"\r\n')
  end
end

local HOURS = {}
for hour = 0, 23 do
  HOURS[hour] = string.format("T%02d:00:00Z", hour)
end

-- Hours of 2030 and after. A string per day, since making one costs more than all the rest.
local function hour(slot)
  local today = math.floor(slot / 24)
  if today ~= day then
    day = today
    date = os.date("!%Y-%m-%d", 1893456000 + 86400 * day)
    tomorrow = os.date("!%Y-%m-%d", 1893456000 + 86400 * (day + 1))
  end
  local from = slot - 24 * day
  if from == 23 then
    return date .. HOURS[23], tomorrow .. HOURS[0]
  end
  return date .. HOURS[from], date .. HOURS[from + 1]
end

function body(number)
  local from, till = hour(math.floor(number / spaces))
  return '{"reservation":"r' .. number .. '","guest":"ada","guests":4,"start":"' .. from ..
    '","end":"' .. till .. '"}'
end

function post(path, text, more)
  return "POST " .. path .. " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n" .. more ..
    "Content-Length: " .. #text .. "\r\n\r\n" .. text
end

function request()
  local number = issued
  issued = issued + 1
  if kind == "reserve" then
    return post("/booking/spaces/" .. name .. (number % spaces) .. "/reservations", body(number), "")
  elseif kind == "bare" then
    return post("/", body(number), "")
  elseif kind == "document" then
    return "GET /booking/latest/" .. name .. (number % spaces) .. " HTTP/1.1\r\nHost: bench\r\n\r\n"
  elseif kind == "get" then
    return "GET /booking/spaces/" .. name .. (number % spaces) .. " HTTP/1.1\r\nHost: bench\r\n\r\n"
  end
  return constant
end

function done(summary, latency)
  local last, count = 0, 0
  for _, thread in ipairs(threads) do
    last = math.max(last, thread:get("issued"))
    count = count + thread:get("issued") - thread:get("first")
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"issued":%d,"next":%d,"micros":%d,"p50":%d,"p99":%d,"bytes":%d,' ..
    '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, count, last, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.bytes, errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
