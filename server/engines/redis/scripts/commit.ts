import { KEYS_KEPT } from '../../../jobs/idempotency.ts'
import { script } from './script.ts'

/**
 * Commits batches, one after another. Replies to each with the number of subscribers; with [2, blocks of the creator] when these would be
 * too many; with [3, error] when Redis refused a command of it; or with [0] and the reply of `load` when the job, the idempotency key or a
 * row that was taken to be new is not as expected.
 *
 * ARGV: replication id. Then for each batch
 * KEYS: job, rows, versions, keys, key order, counts of the creator, indexes…
 * ARGV: number of its keys, number of the arguments that follow: expected stamp, stamp, header, rest of the head, version, message before
 * the header, message after it or '' if it has none, idempotency key or '', its expected digest or '', its digest, live, blocks, most blocks
 * or '', then five counts and what they count: other fields of the head with values; rows as name, version and JSON; names of new rows;
 * changes of indexes; names of rows to load; and the channels of the message
 */
export const commitScript = script(`
local function commit(k, a, ends)
  local job, key, blocks = KEYS[k + 1], ARGV[a + 8], ARGV[a + 12]
  local fieldsAt = a + 19
  local rowsAt = fieldsAt + 2 * ARGV[a + 14]
  local newAt = rowsAt + 3 * ARGV[a + 15]
  local indexesAt = newAt + ARGV[a + 16]
  local namesAt = indexesAt + 4 * ARGV[a + 17]
  local names = tonumber(ARGV[a + 18])
  local same = redis.call('HGET', job, 's') == ARGV[a + 1]
  if same and key ~= '' then same = (redis.call('HGET', KEYS[k + 4], key) or '') == ARGV[a + 9] end
  if same then
    each(newAt, indexesAt - newAt, 1, function(from, to)
      for _, row in ipairs(redis.call('HMGET', KEYS[k + 2], unpack(ARGV, from, to))) do if row then same = false end end
    end)
  end
  if not same then
    local reply = load(job, KEYS[k + 2], KEYS[k + 4], key, namesAt, names)
    table.insert(reply, 1, 0)
    return reply
  end
  if ARGV[a + 13] ~= '' and tonumber(blocks) > 0 then
    local kept = tonumber(redis.call('HGET', KEYS[k + 6], 'blocks') or '0')
    if kept + blocks > tonumber(ARGV[a + 13]) then return { 2, kept } end
  end
  redis.call('HSET', job, 's', ARGV[a + 2], 'h', '{"header":' .. ARGV[a + 3] .. ARGV[a + 4], 'v', ARGV[a + 5],
    unpack(ARGV, fieldsAt, rowsAt - 1))
  write(KEYS[k + 2], KEYS[k + 3], rowsAt, (newAt - rowsAt) / 3)
  if key ~= '' then
    redis.call('HSET', KEYS[k + 4], key, ARGV[a + 10])
    local last = redis.call('ZRANGE', KEYS[k + 5], -1, -1, 'WITHSCORES')
    redis.call('ZADD', KEYS[k + 5], last[2] and last[2] + 1 or 1, key)
    if redis.call('ZCARD', KEYS[k + 5]) > ${KEYS_KEPT} then
      redis.call('HDEL', KEYS[k + 4], redis.call('ZPOPMIN', KEYS[k + 5])[1])
    end
  end
  index(k, indexesAt, tonumber(ARGV[a + 17]))
  count(KEYS[k + 6], ARGV[a + 11], '0', blocks)
  local header = ARGV[a + 7] ~= '' and ARGV[a + 3] or ''
  return publish(ARGV[a + 6], header, ARGV[a + 7], unpack(ARGV, namesAt + names, ends))
end
local replies, k, a = {}, 0, 2
while ARGV[a] do
  local ends = a + 1 + ARGV[a + 1]
  local done, reply = pcall(commit, k, a + 1, ends)
  replies[#replies + 1] = done and reply or { 3, type(reply) == 'table' and reply.err or tostring(reply) }
  k, a = k + ARGV[a], ends + 1
end
return replies
`)
