// What runs inside of Redis: each script is one step that nothing comes between, by the server's clock. All keys of a
// queue hash to one slot, so that they work in a cluster.
//
//   stream    messages that are ready or taken; group "g" holds who has what and how often
//   delayed   ids by the time they become ready; their messages in `packed`
//   packed    id -> message (MessagePack)
//   leases    batches that are out, by the time they end
//   times     every message's id, by when it was pushed
//   bytes     of all bodies
//
// A lease of any length: the group counts how long an entry was idle. It is set to what is missing to IDLE_MS, and who
// has been idle for that long is free.

/** In the order of KEYS. */
export const QUEUE_KEYS = ["stream", "delayed", "packed", "leases", "times", "bytes"] as const;

/** Longer than any visibility time-out: twelve hours, as sdk/services/queue.ts has them, and one. */
const IDLE_MS = 46_800_000;

/** Taken messages whose time is over that are looked for; more count as taken. */
const OVER_MAX = 10_000;

const PRELUDE = `
local stream, delayed, packed, leases, times, bytes = unpack(KEYS)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function field(entry, name)
  for at = 1, #entry, 2 do if entry[at] == name then return entry[at + 1] end end
end
local function append(id, timestamp, kind, attempts, body)
  redis.call('XADD', stream, '*', 'id', id, 'timestamp', timestamp, 'type', kind,
    'attempts', attempts, 'body', body)
end
local function postpone(at, id, timestamp, kind, attempts, body)
  redis.call('ZADD', delayed, at, id)
  redis.call('HSET', packed, id, cmsgpack.pack({timestamp, kind, attempts, body}))
end
-- The entry behind a receipt that still holds it.
local function held(receipt)
  local entry, deliveries = string.match(receipt, '^(%d+%-%d+):(%d+)$')
  if not entry then return nil end
  local pending = redis.pcall('XPENDING', stream, 'g', entry, entry, 1)
  if pending.err or #pending == 0 or pending[1][4] ~= tonumber(deliveries) then return nil end
  local found = redis.call('XRANGE', stream, entry, entry)
  if #found == 0 then return nil end
  return entry, found[1][2], tonumber(deliveries)
end
local function drop(entry)
  redis.call('XACK', stream, 'g', entry)
  redis.call('XDEL', stream, entry)
end
`;

/** ARGV: most messages, most bytes; then for each: id, timestamp or "", type, delay in ms, body. 0: it is full. */
export const PUSH: string = `${PRELUDE}
local added = 0
for at = 3, #ARGV, 5 do added = added + #ARGV[at + 4] end
local count = redis.call('ZCARD', times) + (#ARGV - 2) / 5
if count > tonumber(ARGV[1]) then return 0 end
if tonumber(redis.call('GET', bytes) or 0) + added > tonumber(ARGV[2]) then return 0 end
for at = 3, #ARGV, 5 do
  local id, timestamp, kind, delay, body = unpack(ARGV, at, at + 4)
  if timestamp == '' then timestamp = string.format('%.0f', now) end
  redis.call('ZADD', times, timestamp, id)
  if tonumber(delay) > 0 then postpone(now + delay, id, timestamp, kind, 0, body)
  else append(id, timestamp, kind, 0, body) end
end
redis.call('INCRBY', bytes, added)
return 1
`;

/**
 * ARGV: most messages, most bytes, how long to wait in ms, visibility in ms, most leases, lease. Answer: for each
 * message receipt, id, timestamp, type, attempts, body; nothing when no batch is due.
 */
export const TAKE: string = `${PRELUDE}
local max, bytesMax, wait, visibility, leasesMax = unpack(ARGV, 1, 5)
max = tonumber(max)
local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, max)
for _, id in ipairs(due) do
  local timestamp, kind, attempts, body = unpack(cmsgpack.unpack(redis.call('HGET', packed, id)))
  redis.call('ZREM', delayed, id)
  redis.call('HDEL', packed, id)
  append(id, timestamp, kind, attempts, body)
end
if redis.call('EXISTS', stream) == 0 then return {} end
redis.pcall('XGROUP', 'CREATE', stream, 'g', '0')
local last = '0-0'
for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do last = field(group, 'last-delivered-id') end

local found, size, full, overdue = {}, 0, false, false
local function offer(id, entry, deliveries)
  if full then return end
  if size + #field(entry, 'body') > tonumber(bytesMax) then full = true return end
  size = size + #field(entry, 'body')
  found[#found + 1] = {id, entry, deliveries}
  if #found == max then full = true end
end
for _, one in ipairs(redis.call('XPENDING', stream, 'g', 'IDLE', ${IDLE_MS}, '-', '+', max)) do
  local entries = redis.call('XRANGE', stream, one[1], one[1])
  if #entries == 0 then redis.call('XACK', stream, 'g', one[1])
  else overdue = true offer(one[1], entries[1][2], one[4] + 1) end
end
local fresh = 0
if not full then
  for _, one in ipairs(redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', max)) do
    local before = #found
    offer(one[1], one[2], 1)
    fresh = fresh + #found - before
  end
end
if #found == 0 then return {} end
local first = tonumber(string.match(found[1][1], '^%d+'))
if not full and not overdue and first > now - wait then return {} end
redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
if redis.call('ZCARD', leases) >= tonumber(leasesMax) then return {} end
redis.call('ZADD', leases, now + visibility, ARGV[6])

if fresh > 0 then redis.call('XREADGROUP', 'GROUP', 'g', 'w', 'COUNT', fresh, 'STREAMS', stream, '>') end
local answer = {}
for _, one in ipairs(found) do
  local id, entry, deliveries = unpack(one)
  redis.call('XCLAIM', stream, 'g', 'w', 0, id, 'IDLE', ${IDLE_MS} - visibility,
    'RETRYCOUNT', deliveries, 'JUSTID')
  answer[#answer + 1] = id .. ':' .. string.format('%d', deliveries)
  answer[#answer + 1] = field(entry, 'id')
  answer[#answer + 1] = field(entry, 'timestamp')
  answer[#answer + 1] = field(entry, 'type')
  answer[#answer + 1] = string.format('%d', field(entry, 'attempts') + deliveries)
  answer[#answer + 1] = field(entry, 'body')
end
return answer
`;

/** ARGV: lease; then for each: "ack", or the delay in ms, with "-" before it when the try does not count; receipt. */
export const SETTLE: string = `${PRELUDE}
for at = 2, #ARGV, 2 do
  local verdict = ARGV[at]
  local entry, fields, deliveries = held(ARGV[at + 1])
  if entry then
    local id, body = field(fields, 'id'), field(fields, 'body')
    drop(entry)
    if verdict == 'ack' then
      redis.call('ZREM', times, id)
      redis.call('DECRBY', bytes, #body)
    else
      local delay = string.match(verdict, '%d+')
      local attempts = field(fields, 'attempts') + deliveries
      if string.sub(verdict, 1, 1) == '-' then attempts = attempts - 1 end
      postpone(now + delay, id, field(fields, 'timestamp'), field(fields, 'type'), attempts, body)
    end
  end
end
redis.call('ZREM', leases, ARGV[1])
return 1
`;

/** ARGV: receipts. Answer: for each that still holds its message: receipt, id, timestamp, type, body. */
export const READ: string = `${PRELUDE}
local answer = {}
for _, receipt in ipairs(ARGV) do
  local entry, fields = held(receipt)
  if entry then
    answer[#answer + 1] = receipt
    for _, name in ipairs({'id', 'timestamp', 'type', 'body'}) do
      answer[#answer + 1] = field(fields, name)
    end
  end
end
return answer
`;

/** Answer: messages, bytes, and when the oldest was pushed. */
export const DEPTH: string = `${PRELUDE}
local oldest = redis.call('ZRANGE', times, 0, 0, 'WITHSCORES')
return {redis.call('ZCARD', times), tonumber(redis.call('GET', bytes) or 0), oldest[2] or ''}
`;

/** Answer: delayed, taken. What was taken too long ago can be taken again. */
export const CENSUS: string = `${PRELUDE}
local taken = 0
local pending = redis.pcall('XPENDING', stream, 'g')
if not pending.err then
  local over = redis.call('XPENDING', stream, 'g', 'IDLE', ${IDLE_MS}, '-', '+', ${OVER_MAX})
  taken = pending[1] - #over
end
return {redis.call('ZCOUNT', delayed, '(' .. string.format('%.0f', now), '+inf'), taken}
`;

/**
 * ARGV: most messages, most bytes. Answer: for each state, id, timestamp, type, attempts so far, body: those in the
 * stream, then those in `packed`.
 */
export const PEEK: string = `${PRELUDE}
local max, bytesMax = tonumber(ARGV[1]), tonumber(ARGV[2])
local answer, count, size = {}, 0, 0
local function show(state, id, timestamp, kind, attempts, body)
  size = size + #body
  if count >= max or (count > 0 and size > bytesMax) then count = max return end
  count = count + 1
  for _, value in ipairs({state, id, timestamp, kind, string.format('%d', attempts), body}) do
    answer[#answer + 1] = value
  end
end
for _, one in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', max)) do
  local state, deliveries = 'ready', 0
  local pending = redis.pcall('XPENDING', stream, 'g', one[1], one[1], 1)
  if not pending.err and #pending > 0 then
    deliveries = pending[1][4]
    if pending[1][3] < ${IDLE_MS} then state = 'taken' end
  end
  local entry = one[2]
  show(state, field(entry, 'id'), field(entry, 'timestamp'), field(entry, 'type'),
    field(entry, 'attempts') + deliveries, field(entry, 'body'))
end
if count < max then
  local rest = redis.call('ZRANGE', delayed, 0, max - count - 1, 'WITHSCORES')
  for at = 1, #rest, 2 do
    local timestamp, kind, attempts, body = unpack(cmsgpack.unpack(redis.call('HGET', packed, rest[at])))
    show(tonumber(rest[at + 1]) > now and 'delayed' or 'ready', rest[at], timestamp, kind, attempts, body)
  end
end
return answer
`;

export const PURGE: string = `
return redis.call('DEL', unpack(KEYS))
`;
