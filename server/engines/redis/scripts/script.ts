/**
 * A script. Each begins with the replication id that its caller knows, and refuses when the server has another one: then the server's history
 * may not be the one that the caller has seen. A job's head has a stamp, unique for each commit. A commit names the stamp that it was decided
 * on.
 */
export interface Script {
  readonly source: string
}

/** Keys and arguments of a script, without the replication id. */
export interface ScriptCall {
  keys: string[]
  args: string[]
}

/** Fields of the hash of a job's head: stamp, head, result, metadata, place in the order of creation, epoch, version. */
export const HEAD = "'s', 'h', 'r', 'm', 'n', 'e', 'v'"

/** The start of every reply that has a job. */
export const HEAD_FIELDS = 7

const COMMON = `
-- Plain text is found faster than a pattern.
if not string.find(redis.call('INFO', 'replication'), 'master_replid:' .. ARGV[1] .. '\\r', 1, true) then
  return redis.error_reply('GENERATION the server has another history')
end
-- Lua passes some thousands of values at most.
local CHUNK = 1000
local function each(at, count, size, run)
  while count > 0 do
    local some = math.min(count, CHUNK)
    run(at, at + some * size - 1)
    at, count = at + some * size, count - some
  end
  return at
end
-- The job, the digest of an idempotency key, and rows by name.
local function load(job, rows, keys, key, names, count)
  local reply = redis.call('HMGET', job, ${HEAD})
  reply[#reply + 1] = key ~= '' and redis.call('HGET', keys, key) or false
  each(names, count, 1, function(from, to)
    for _, row in ipairs(redis.call('HMGET', rows, unpack(ARGV, from, to))) do reply[#reply + 1] = row end
  end)
  return reply
end
-- The message is of three parts. Returns how many subscribers there were. Most changes have none.
local function publish(start, middle, ends, ...)
  local counts, sum = redis.call('PUBSUB', 'SHARDNUMSUB', ...), 0
  for at = 1, #counts, 2 do
    local count = tonumber(counts[at + 1])
    if count > 0 then redis.call('SPUBLISH', counts[at], start .. middle .. ends) end
    sum = sum + count
  end
  return sum
end
-- Changes of indexes: number of the key after keysAt, value, member. '+' sets the score, '*' adds to it, '-' removes the member, and '?'
-- does when there is no key of that number.
local function index(keysAt, at, count, place)
  for n = 1, count do
    local change, key, value, member = ARGV[at], KEYS[keysAt + ARGV[at + 1]], ARGV[at + 2], ARGV[at + 3]
    if change == '+' then redis.call('ZADD', key, value ~= '' and value or place, member)
    elseif change == '*' then redis.call('ZINCRBY', key, value, member)
    -- While a slot moves a key that this script has emptied counts as gone elsewhere.
    elseif change == '-' or redis.pcall('EXISTS', KEYS[keysAt + value]) ~= 1 then redis.call('ZREM', key, member) end
    at = at + 4
  end
end
-- Rows: name, version, JSON.
local function write(rows, versions, at, count)
  each(at, count, 3, function(from, to)
    local texts, scores = {}, {}
    for at = from, to, 3 do
      texts[#texts + 1], texts[#texts + 2] = ARGV[at], ARGV[at + 2]
      scores[#scores + 1], scores[#scores + 2] = ARGV[at + 1], ARGV[at]
    end
    redis.call('HSET', rows, unpack(texts))
    redis.call('ZADD', versions, unpack(scores))
  end)
end
local function count(creator, live, jobs, blocks)
  if live ~= '0' then redis.call('HINCRBY', creator, 'live', live) end
  if jobs ~= '0' then redis.call('HINCRBY', creator, 'jobs', jobs) end
  if blocks ~= '0' then redis.call('HINCRBY', creator, 'blocks', blocks) end
end
-- A creator has a job less.
local function leave(creator, live, blocks)
  count(creator, live, '-1', blocks)
  if tonumber(redis.call('HGET', creator, 'jobs')) <= 0 then redis.call('UNLINK', creator) end
end
`

/** @param flag what the server lets the script do when it is full or its disk is */
export const script = (source: string, flag?: 'no-writes' | 'allow-oom'): Script => ({
  source: `#!lua${flag === undefined ? '' : ` flags=${flag}`}\n${COMMON}${source}`,
})
