import { commitScript } from './commit.ts'
import { HEAD, type Script, script } from './script.ts'

/** The scripts. Each is one round trip, and changes all or nothing of what belongs together. */
export const scripts = {
  commit: commitScript,

  /**
   * Reads a job and rows by name.
   *
   * KEYS: job, rows, keys. ARGV: replication id, idempotency key or '', names.
   */
  load: script(
    `
return load(KEYS[1], KEYS[2], KEYS[3], ARGV[2], 3, #ARGV - 2)
`,
    'no-writes',
  ),

  /**
   * Creates a job. Replies [1, place, subscribers], [2, live, jobs, blocks] when its creator has too many, or [0] and the reply of \`load\`
   * when the id is taken.
   *
   * KEYS: job, counts of the creator, newest, indexes… ARGV: replication id, message around the place (2), live, blocks, most live jobs or '',
   * most jobs or '', most blocks or '', then two counts and what they count: fields of the head with values; changes of indexes; and the
   * channels of the message.
   */
  create: script(`
if redis.call('EXISTS', KEYS[1]) == 1 then
  local reply = load(KEYS[1], '', '', '', 1, 0)
  table.insert(reply, 1, 0)
  return reply
end
local kept = redis.call('HMGET', KEYS[2], 'live', 'jobs', 'blocks')
local live, jobs, blocks = tonumber(kept[1] or 0), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
local function over(value, most) return most ~= '' and value > tonumber(most) end
if over(live + 1, ARGV[6]) or over(jobs + 1, ARGV[7]) or over(blocks + 1, ARGV[8]) then
  return { 2, live, jobs, blocks }
end
local now = redis.call('TIME')
local place = math.max(now[1] * 1000000 + now[2], (redis.call('GET', KEYS[3]) or 0) + 1)
place = string.format('%.0f', place)
redis.call('SET', KEYS[3], place)
local fields, indexes = tonumber(ARGV[9]), tonumber(ARGV[10])
local indexesAt = 11 + 2 * fields
redis.call('HSET', KEYS[1], 'n', place, unpack(ARGV, 11, indexesAt - 1))
index(0, indexesAt, indexes, place)
count(KEYS[2], ARGV[4], '1', ARGV[5])
return { 1, place, publish(ARGV[2], place, ARGV[3], unpack(ARGV, indexesAt + 4 * indexes)) }
`),

  /**
   * Removes a job, even from a full server. Replies [1], or [0] when its stamp is not as expected.
   *
   * KEYS: job, rows, versions, keys, key order, counts of the creator, indexes… ARGV: replication id, expected stamp, message, live,
   * blocks, number of changes of indexes, these, and the channels of the message.
   */
  remove: script(
    `
if redis.call('HGET', KEYS[1], 's') ~= ARGV[2] then return { 0 } end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
local indexes = tonumber(ARGV[6])
leave(KEYS[6], ARGV[4], ARGV[5])
index(0, 7, indexes)
publish(ARGV[3], '', '', unpack(ARGV, 7 + 4 * indexes))
return { 1 }
`,
    'allow-oom',
  ),

  /**
   * Puts rows aside for a job of another store, because one script with all of them would hold up the server. They expire.
   * Replies 0, because only the job has to be acknowledged.
   *
   * KEYS: staged rows, staged versions. ARGV: replication id, 1 for the first of the job or 0, their life in milliseconds, rows as name,
   * version and JSON.
   */
  stage: script(`
if ARGV[2] == '1' then redis.call('UNLINK', KEYS[1], KEYS[2]) end
write(KEYS[1], KEYS[2], 4, (#ARGV - 3) / 3)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end
return 0
`),

  /**
   * Writes a job of another store, with the rows put aside. Replies [1], or [0] when the stored job or the number of these rows is not as
   * expected.
   *
   * KEYS: job, rows, versions, keys, key order, staged rows, staged versions, counts of the creator of the replaced job and of the new one,
   * newest, indexes… ARGV: replication id, expected stamp or '', place, staged rows, live, jobs and blocks of the replaced job, negative, and of
   * the new one, then three counts and what they count: fields of the head with values; idempotency keys with their digests, in the order of
   * their use; changes of indexes.
   */
  restore: script(`
if (redis.call('HGET', KEYS[1], 's') or '') ~= ARGV[2] then return { 0 } end
if ARGV[4] ~= '0' and redis.call('ZCARD', KEYS[7]) ~= tonumber(ARGV[4]) then return { 0 } end
local fields, keys, indexes = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local keysAt = 14 + 2 * fields
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
if ARGV[4] ~= '0' then
  for n = 6, 7 do
    redis.call('RENAME', KEYS[n], KEYS[n - 4])
    redis.call('PERSIST', KEYS[n - 4])
  end
end
redis.call('HSET', KEYS[1], 'n', ARGV[3], unpack(ARGV, 14, keysAt - 1))
for n = 1, keys do
  local at = keysAt + 2 * (n - 1)
  redis.call('HSET', KEYS[4], ARGV[at], ARGV[at + 1])
  redis.call('ZADD', KEYS[5], n, ARGV[at])
end
if ARGV[6] ~= '0' then leave(KEYS[8], ARGV[5], ARGV[7]) end
index(0, keysAt + 2 * keys, indexes)
count(KEYS[9], ARGV[8], ARGV[9], ARGV[10])
if tonumber(redis.call('GET', KEYS[10]) or 0) < tonumber(ARGV[3]) then redis.call('SET', KEYS[10], ARGV[3]) end
return { 1 }
`),

  /**
   * Reads a page of what changed since a version: the reply of \`load\` without rows, the version, whether that is all, and rows in the order of
   * their versions, each after its name. Ends at about as many bytes of JSON.
   *
   * KEYS: job, rows, versions. ARGV: replication id, epoch or '', version, most bytes or 0 for no rows, bytes of a page when there are several.
   */
  page: script(
    `
local reply = redis.call('HMGET', KEYS[1], ${HEAD})
local from, most = 0, tonumber(ARGV[4])
if reply[6] == ARGV[2] and tonumber(ARGV[3]) <= tonumber(reply[7]) then from = tonumber(ARGV[3]) end
reply[8], reply[9] = tostring(from), 1
if most == 0 or not reply[1] or from == tonumber(reply[7]) then return reply end
if redis.call('ZCOUNT', KEYS[3], '(' .. from, '+inf') * 100 > most then most = math.min(most, tonumber(ARGV[5])) end
local bytes, skip, some = 0, 0, 128
while true do
  local names = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. from, '+inf', 'LIMIT', skip, some)
  if #names == 0 then return reply end
  for at, row in ipairs(redis.call('HMGET', KEYS[2], unpack(names))) do
    if bytes > most then
      reply[9] = 0
      return reply
    end
    reply[#reply + 1], reply[#reply + 2] = names[at], row
    bytes = bytes + #row
  end
  if #names < some then return reply end
  skip = skip + some
end
`,
    'no-writes',
  ),

  /**
   * Reads ids and places of an index, the newest first: [whether that is all, id, place…, place where it stopped]. Looks at \`scan\` entries at most.
   *
   * KEYS: index. ARGV: replication id, prefix of jobs, highest place, most ids, most entries, then conditions or '': status, live, kind, parent.
   */
  list: script(
    `
local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[5])
local most, reply = tonumber(ARGV[4]), { 0 }
local ended = { completed = true, failed = true, cancelled = true }
local plain = ARGV[6] == '' and ARGV[7] == '' and ARGV[8] == '' and ARGV[9] == ''
for at = 1, #found, 2 do
  local job = plain or redis.call('HMGET', ARGV[2] .. found[at], 'st', 'k', 'p')
  local wanted = plain or (job[1]
    and (ARGV[6] == '' or job[1] == ARGV[6])
    and (ARGV[7] == '' or (ended[job[1]] == nil) == (ARGV[7] == '1'))
    and (ARGV[8] == '' or job[2] == ARGV[8])
    and (ARGV[9] == '' or job[3] == ARGV[9]))
  if wanted then reply[#reply + 1], reply[#reply + 2] = found[at], found[at + 1] end
  if #reply > 2 * most then
    reply[#reply + 1] = found[at + 1]
    return reply
  end
end
if #found < 2 * tonumber(ARGV[5]) then reply[1] = 1 end
reply[#reply + 1] = found[#found] or '0'
return reply
`,
    'no-writes',
  ),

  /**
   * Counts jobs and finds creators: [counts of the indexes, kinds, their counts, creators with the largest documents].
   *
   * KEYS: kinds, creators, indexes… ARGV: replication id, prefix of the indexes of kinds, most kinds, most creators.
   */
  figures: script(
    `
local counts, kinds, jobs = {}, redis.call('ZRANGE', KEYS[1], 0, ARGV[3] - 1), {}
for at = 3, #KEYS do counts[#counts + 1] = redis.call('ZCARD', KEYS[at]) end
for at, kind in ipairs(kinds) do jobs[at] = redis.call('ZCARD', ARGV[2] .. kind) end
return { counts, kinds, jobs, redis.call('ZREVRANGE', KEYS[2], 0, ARGV[4] - 1) }
`,
    'no-writes',
  ),

  /**
   * Reads the due index: id, time and creator of each. While another node sweeps the partition, nothing is due.
   *
   * KEYS: due list, sweeper. ARGV: replication id, node, milliseconds that it sweeps from now on, latest time, most entries, time and id
   * after which to begin, prefix of jobs.
   */
  due: script(
    `
local sweeper = redis.call('GET', KEYS[2])
if sweeper and sweeper ~= ARGV[2] then return {} end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
local most, reply, skip = tonumber(ARGV[5]), {}, 0
while true do
  local found = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[6], ARGV[4], 'WITHSCORES', 'LIMIT', skip, most)
  for at = 1, #found, 2 do
    if #reply == 3 * most then return reply end
    if tonumber(found[at + 1]) ~= tonumber(ARGV[6]) or found[at] > ARGV[7] then
      reply[#reply + 1], reply[#reply + 2] = found[at], found[at + 1]
      reply[#reply + 1] = redis.call('HGET', ARGV[8] .. found[at], 'b') or ''
    end
  end
  if #found < 2 * most then return reply end
  skip = skip + most
end
`,
    'allow-oom',
  ),

  /**
   * Writes a note and deletes some that expired.
   *
   * KEYS: notes, order, expiry. ARGV: replication id, key, text, expiry, now.
   */
  putNote: script(`
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[5], 'LIMIT', 0, 16)) do
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2])
return 1
`),

  /** Deletes a note and replies [1, text], or [0]. KEYS: notes, order, expiry. ARGV: replication id, key. */
  takeNote: script(
    `
local text = redis.call('HGET', KEYS[1], ARGV[2])
if not text then return { 0 } end
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
return { 1, text }
`,
    'allow-oom',
  ),

  /** Lists notes: keys and texts in turn. KEYS: notes, order. ARGV: replication id, lowest and highest key, most. */
  listNotes: script(
    `
local reply = {}
for _, key in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])) do
  reply[#reply + 1], reply[#reply + 2] = key, redis.call('HGET', KEYS[1], key) or ''
end
return reply
`,
    'no-writes',
  ),
} as const satisfies Record<string, Script>
