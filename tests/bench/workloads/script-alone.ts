import { createClient } from 'redis'
import { partitionsFor } from '../../../server/engines/redis/cluster/partitions.ts'
import { parseInfo } from '../../../server/engines/redis/connection/node.ts'
import {
  foundIn,
  type LoadReply,
  loadedOf,
  namesIn,
  rowsOf,
  stateAfter,
} from '../../../server/engines/redis/documents/known-job.ts'
import { commitCall } from '../../../server/engines/redis/documents/write.ts'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import { encodeChange } from '../../../server/engines/redis/message.ts'
import { scripts } from '../../../server/engines/redis/scripts.ts'
import { type Place, placesOf } from '../../../server/engines/redis/store.ts'
import { applyBatch, changeOf } from '../../../server/jobs/apply-batch.ts'
import type { Batch, Marks } from '../../../server/jobs/engine.ts'
import { defaultLimits } from '../../../shared/document/limits.ts'
import { newHeader } from '../../arbitraries.ts'
import { progressEvent } from '../load/requests.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds } from '../usage.ts'

/**
 * What Redis does at most: the script that commits batches, with the arguments that the engine gives it, from one connection on which the next
 * command of each job leaves when the last is answered. Re, Reb.
 *
 * @param options as of `nodePublishes`
 */
export async function scriptAlone({ redis = { pid: 0, port: 0 } }: Target, options: Options): Promise<Figures> {
  const { publishers = 1, batch = 1, seconds = 1, warmUp = 1 } = options
  const setting = `redis://127.0.0.1:${redis.port}`
  const events = Array.from({ length: batch }, (_, number) => JSON.parse(progressEvent(number)))
  const jobs = await makeCommands(setting, publishers, { events, at: new Date().toISOString() })
  await run(redis.port, jobs, warmUp)
  const before = cpuSeconds(redis.pid)
  const rate = (await run(redis.port, jobs, seconds)) * batch
  return { rate, cpu: 0, redisCpu: ((cpuSeconds(redis.pid) - before) * 1e6) / (rate * seconds) }
}

const MARKS: Marks = { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 200, requestDigest: '' }

/** The commands of one job: two, each of which can follow the other. The first one is next. */
type Commands = Uint8Array[]

async function makeCommands(setting: string, count: number, batch: Batch): Promise<Commands[]> {
  const engine = await RedisEngine.open(setting)
  const client = createClient({ url: setting, RESP: 2 })
  await client.connect()
  const [place] = placesOf(partitionsFor(false), 0) as [Place]
  const replid = parseInfo(await client.sendCommand<string>(['INFO', 'replication'])).master_replid ?? ''
  const sha = await client.sendCommand<string>(['SCRIPT', 'LOAD', scripts.commit.source])
  const commands: Commands[] = []
  for (let index = 0; index < count; index++) {
    const id = `bench-${index}`
    await engine.create({ header: newHeader({ id }), marks: MARKS })
    const fields = ['s', 'h', 'r', 'm', 'n', 'e', 'v']
    const found = foundIn(await client.sendCommand<LoadReply>(['HMGET', place.keys.job(id), ...fields]))
    if (!found) throw new Error('There is no job')
    const calls: string[][] = []
    const stamps = [`${id}-a`, `${id}-b`]
    for (const stamp of [...stamps, `${id}-a`]) {
      const outcome = applyBatch(loadedOf(found, batch, replid.slice(0, 12)), batch, defaultLimits)
      if (!('commit' in outcome)) throw new Error('The batch is refused')
      const { commit } = outcome
      const rows = rowsOf(commit, found.state.job)
      const order: [number, number] = [found.state.place, found.state.commits + 1]
      const message = encodeChange({ by: 'bench', history: replid, order, change: changeOf(commit) })
      const more = { stamp, message, names: namesIn(batch), allowed: { blocks: 1_000_000 } }
      const { keys, args } = commitCall(place.keys, found, commit, rows, batch, more)
      calls.push(['EVALSHA', sha, `${keys.length}`, ...keys, replid, ...args])
      found.state = stateAfter(found.state, commit, rows, stamp)
    }
    const [first = [], second = [], third = []] = calls
    await client.sendCommand(first)
    commands.push([encode(second), encode(third)])
  }
  client.destroy()
  await engine.close()
  return commands
}

function encode(command: readonly string[]): Uint8Array {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
  return Buffer.from(`*${command.length}\r\n${parts.join('')}`)
}

/** The start of the reply to a script that has committed: 1, and the number of subscribers. */
const COMMITTED = '*2'

/** Has the jobs' commands run for some seconds. @returns commits a second */
async function run(port: number, jobs: readonly Commands[], seconds: number): Promise<number> {
  const begun = performance.now()
  const until = begun + seconds * 1_000
  const ended = Promise.withResolvers<void>()
  /** Jobs whose replies are awaited, in order, and the commands that follow. */
  const waiting: number[] = []
  let unsent: Uint8Array = new Uint8Array()
  let commits = 0
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
          if (line.startsWith('-') || (line.startsWith('*') && line !== COMMITTED)) ended.reject(new Error(line))
          if (line !== ':1') continue
          commits += 1
          const job = waiting.shift() ?? 0
          if (performance.now() < until) next.push(take(job))
          else if (waiting.length === 0) ended.resolve()
        }
        write(next)
      },
    },
  })
  const take = (job: number): Uint8Array => {
    waiting.push(job)
    const commands = jobs[job] ?? []
    commands.reverse()
    return commands[1] ?? new Uint8Array()
  }
  const write = (more: readonly Uint8Array[]) => {
    const bytes = Buffer.concat([unsent, ...more])
    unsent = bytes.subarray(socket.write(bytes))
  }
  write(jobs.map((_, job) => take(job)))
  await ended.promise
  socket.end()
  return commits / ((performance.now() - begun) / 1_000)
}
