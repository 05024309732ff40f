import { createClient } from 'redis'
import { partitionsFor } from '../../../server/engines/redis/cluster/partitions.ts'
import { parseInfo } from '../../../server/engines/redis/connection/node.ts'
import {
  type Found,
  foundIn,
  type LoadReply,
  loadedOf,
  namesIn,
  rowsOf,
  stateAfter,
} from '../../../server/engines/redis/documents/known-job.ts'
import { commitCall } from '../../../server/engines/redis/documents/write.ts'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import type { ScriptCall } from '../../../server/engines/redis/scripts/script.ts'
import { scripts } from '../../../server/engines/redis/scripts/scripts.ts'
import { type Place, placesOf } from '../../../server/engines/redis/store.ts'
import { applyBatch, changeOf } from '../../../server/jobs/apply-batch.ts'
import type { Batch, Marks } from '../../../server/jobs/engine.ts'
import { defaultLimits } from '../../../shared/document/limits.ts'
import { newHeader } from '../../arbitraries.ts'
import { progressEvent } from '../load/requests.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds } from '../usage.ts'

/** Groups that travel in turn, so that Redis has one to run while the replies to another are read. */
const GROUPS = 2

/**
 * What Redis does at most: the script that commits batches, with the arguments that the engine gives it, from one connection on which the next
 * command of a group of jobs leaves when the last is answered. Re.
 *
 * @param options as of `nodePublishes`
 */
export async function scriptAlone({ redis = { pid: 0, port: 0 } }: Target, options: Options): Promise<Figures> {
  const { publishers = 1, batch = 1, seconds = 1, warmUp = 1 } = options
  const setting = `redis://127.0.0.1:${redis.port}`
  const events = Array.from({ length: batch }, (_, number) => JSON.parse(progressEvent(number)))
  const groups = await makeGroups(setting, publishers, { events, at: new Date().toISOString() })
  await run(redis.port, groups, warmUp)
  const before = cpuSeconds(redis.pid)
  const rate = (await run(redis.port, groups, seconds)) * batch
  return { rate, cpu: 0, redisCpu: ((cpuSeconds(redis.pid) - before) * 1e6) / (rate * seconds) }
}

const MARKS: Marks = { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 200, requestDigest: '' }

/** Jobs whose batches are committed by one call: two, each of which can follow the other. The first one is next. */
interface Group {
  jobs: number
  commands: Uint8Array[]
}

async function makeGroups(setting: string, count: number, batch: Batch): Promise<Group[]> {
  const engine = await RedisEngine.open(setting)
  const client = createClient({ url: setting, RESP: 2 })
  await client.connect()
  const [place] = placesOf(partitionsFor(false), 0) as [Place]
  const replid = parseInfo(await client.sendCommand<string>(['INFO', 'replication'])).master_replid ?? ''
  const sha = await client.sendCommand<string>(['SCRIPT', 'LOAD', scripts.commit.source])
  const commandOf = (calls: readonly ScriptCall[]) => {
    const keys = calls.flatMap((call) => call.keys)
    const args = calls.flatMap((call) => [`${call.keys.length}`, `${call.args.length}`, ...call.args])
    return ['EVALSHA', sha, `${keys.length}`, ...keys, replid, ...args]
  }
  const groups: Group[] = []
  for (let group = 0; group < GROUPS; group++) {
    const jobs: ScriptCall[][] = []
    for (let index = group; index < count; index += GROUPS) {
      const id = `bench-${index}`
      await engine.create({ header: newHeader({ id }), marks: MARKS })
      const fields = ['s', 'h', 'r', 'm', 'n', 'e', 'v']
      const found = foundIn(await client.sendCommand<LoadReply>(['HMGET', place.keys.job(id), ...fields]))
      if (!found) throw new Error('There is no job')
      jobs.push(callsOf(place, found, batch, replid))
    }
    const [first, ...others] = [0, 1, 2].map((at) => commandOf(jobs.map((calls) => calls[at] as ScriptCall)))
    await client.sendCommand(first as string[])
    groups.push({ jobs: jobs.length, commands: others.map(encode) })
  }
  client.destroy()
  await engine.close()
  return groups
}

/** The calls that commit a batch three times; the second can follow the third. */
function callsOf(place: Place, found: Found, batch: Batch, replid: string): ScriptCall[] {
  const { id } = found.state.job.header
  return [`${id}-a`, `${id}-b`, `${id}-a`].map((stamp) => {
    const outcome = applyBatch(loadedOf(found, batch, replid.slice(0, 12)), batch, defaultLimits)
    if (!('commit' in outcome)) throw new Error('The batch is refused')
    const { commit } = outcome
    const rows = rowsOf(commit, found.state.job)
    const order: [number, number] = [found.state.place, found.state.commits + 1]
    const message = { by: 'bench', history: replid, order, change: changeOf(commit) }
    const more = { stamp, message, names: namesIn(batch), allowed: { blocks: 1_000_000 } }
    const call = commitCall(place.keys, found, commit, rows, batch, more)
    found.state = stateAfter(found.state, commit, rows, stamp)
    return call
  })
}

function encode(command: readonly string[]): Uint8Array {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
  return Buffer.from(`*${command.length}\r\n${parts.join('')}`)
}

/** Has the groups' commands run for some seconds. @returns commits a second */
async function run(port: number, groups: readonly Group[], seconds: number): Promise<number> {
  const begun = performance.now()
  const until = begun + seconds * 1_000
  const ended = Promise.withResolvers<void>()
  /** Groups whose replies are awaited, in order, and the commands that follow. */
  const waiting: Group[] = []
  let unsent: Uint8Array = new Uint8Array()
  let [commits, replies] = [0, 0]
  let rest = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      drain: () => write([]),
      data(_, bytes) {
        const lines = (rest + bytes.toString('latin1')).split('\r\n')
        rest = lines.pop() ?? ''
        const next: Uint8Array[] = []
        for (const line of lines) {
          // Of a group, an array of numbers: to each commit its subscribers.
          if (line.startsWith('*') && replies === 0) continue
          if (line !== ':0') ended.reject(new Error(line))
          commits += 1
          replies += 1
          const [group] = waiting
          if (!group || replies < group.jobs) continue
          replies = 0
          waiting.shift()
          if (performance.now() < until) next.push(take(group))
          else if (waiting.length === 0) ended.resolve()
        }
        write(next)
      },
    },
  })
  const take = (group: Group): Uint8Array => {
    waiting.push(group)
    group.commands.reverse()
    return group.commands[1] ?? new Uint8Array()
  }
  const write = (more: readonly Uint8Array[]) => {
    const bytes = Buffer.concat([unsent, ...more])
    unsent = bytes.subarray(socket.write(bytes))
  }
  write(groups.map(take))
  await ended.promise
  socket.end()
  return commits / ((performance.now() - begun) / 1_000)
}
