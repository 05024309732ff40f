import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { CANCEL_GRACE } from '../../server/jobs/background/due.ts'
import type { Engine } from '../../server/jobs/engine.ts'
import { formatCursor } from '../../shared/document/cursor.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import type { Received, StreamReader } from '../support/stream-reader.ts'
import { accessToken } from '../support/tokens.ts'
import { describeEngine } from './engine/engine.ts'
import { newJob, refusal, taken, unique, WakeLog } from './fixtures.ts'
import { RemoteEngine } from './workers/remote-engine.ts'
import { Workerd } from './workers/workerd.ts'

const CONFIG = 'tests/conformance/workers/wrangler.jsonc'

let workerd: Workerd
let engine: Engine

const clientOf = async (sub: string) => new ApiClient(`${workerd.url}/`, await accessToken(sub))

/** Asks an object about itself. */
async function probe<T>(kind: 'job' | 'owner', name: string, method: string, ...args: unknown[]): Promise<T> {
  const url = `${workerd.url}/test/${kind}/${encodeURIComponent(name)}/${method}`
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(args) })
  return ((await response.json()) as { result: T }).result
}

const instant = (ms: number) => new Date(ms).toISOString()
const now = () => instant(Date.now())

/** A job that is made by the engine, of this moment unless it says otherwise. */
async function made(fields: Partial<JobHeader> = {}, by = engine): Promise<JobHeader> {
  const at = now()
  const job = newJob({ createdAt: at, updatedAt: at, lastEventAt: at, ...fields })
  expect(await by.create(job)).toMatchObject({ created: true })
  return job.header
}

const cursorOf = ({ id, data }: { id: string; data: Received['data'] }) => `${id}@${data.cursor}`

/** What the Worker answers when its environment is not what it should be. */
async function misconfigured(differences: object): Promise<unknown> {
  const response = await fetch(`${workerd.url}/test/entry`, { method: 'POST', body: JSON.stringify(differences) })
  return [response.status, response.headers.get('content-type'), ((await response.json()) as { detail: string }).detail]
}

/** An object that is followed and then left alone, and which life of it that was. */
interface Idle {
  client: ApiClient
  job: JobHeader
  stream: StreamReader
  birth: string
}

const sleeper = unique('sleeper')
let idleJob: Idle
let idleOwner: Idle
const misconfigurations = new Map<string, unknown>()

beforeAll(async () => {
  workerd = await Workerd.start(CONFIG)
  // Before anything else: what was once well configured stays so.
  for (const differences of [
    { MILEPOST_SECRET: null },
    { MILEPOST_SECRET: 'short' },
    { MILEPOST_JOBS: null },
    { MILEPOST_OWNERS: null },
    { MILEPOST_ENGINE: 'memory:' },
    { MILEPOST_RETENTION: '1' },
  ]) {
    const [name = ''] = Object.keys(differences)
    misconfigurations.set(`${name} ${Object.values(differences)}`, await misconfigured(differences))
  }
  engine = await RemoteEngine.connect(workerd.url, 'engine')
  const ada = await clientOf('ada')
  const job = await ada.create()
  const stream = await ada.stream(`api/jobs/${job.id}/progress`)
  idleJob = { client: ada, job, stream, birth: await probe('job', job.id, 'birth') }
  const client = await clientOf(sleeper)
  const own = await client.create()
  const all = await client.stream('api/progress')
  idleOwner = { client, job: own, stream: all, birth: await probe('owner', sleeper, 'birth') }
}, 180_000)

afterAll(async () => {
  await engine.close()
  await workerd.stop()
})

describeEngine(
  'durable-object',
  async (limits) => {
    const frozen = await RemoteEngine.connect(workerd.url, 'frozen-engine', { limits })
    return { engine: frozen, release: () => frozen.close() }
  },
  { hasAlarms: true, isFixed: true, knowsOwnersOnly: true, lawRuns: 12 },
)

test('a Worker that lacks something answers 503, and says what and how to add it', () => {
  const type = 'application/problem+json'
  expect([...misconfigurations]).toEqual([
    ['MILEPOST_SECRET ', [503, type, expect.stringContaining('npx wrangler secret put MILEPOST_SECRET')]],
    ['MILEPOST_SECRET short', [503, type, expect.stringMatching(/^MILEPOST_SECRET has a secret of 5 bytes\. /)]],
    ['MILEPOST_JOBS ', [503, type, expect.stringMatching(/binding MILEPOST_JOBS is missing\. .*the class JobObject/)]],
    [
      'MILEPOST_OWNERS ',
      [503, type, expect.stringMatching(/binding MILEPOST_OWNERS is missing\. .*the class OwnerObject/)],
    ],
    ['MILEPOST_ENGINE memory:', [503, type, expect.stringMatching(/^MILEPOST_ENGINE is "memory:"\. .*unset it/)]],
    ['MILEPOST_RETENTION 1', [503, type, expect.stringMatching(/^MILEPOST_RETENTION is not a setting/)]],
  ])
})

test('notes are cleared away by an alarm when their time is over, and others with them are not', async () => {
  const { notes } = engine
  const place = `test/${unique('alarm')}`
  const now = Date.now()
  await notes.put({ key: `${place}/long`, text: 'kept' }, now + 600_000, now)
  await notes.put({ key: `${place}/short`, text: 'gone' }, now + 200, now)
  // The test's time-out says that no alarm came.
  while ((await notes.get(`${place}/short`)) !== undefined) await Bun.sleep(50)
  expect(await notes.list({ prefix: `${place}/`, limit: 10 })).toEqual([{ key: `${place}/long`, text: 'kept' }])
})

describe.concurrent('the alarm of a job', () => {
  test('a job that is not done in time fails by itself, and is kept as long as all others', async () => {
    const keeping = await RemoteEngine.connect(workerd.url, 'engine', { retentionSeconds: 3_600 })
    const { id, createdAt } = await made({ timeoutSeconds: 1 }, keeping)
    const log = new WakeLog()
    await keeping.watch({ job: id }, log.wake)
    // On a busy machine the alarm may have come before anyone listened.
    if ((await keeping.read(id))?.header.version === 1) await log.until(({ to }) => to === 2)
    const { header } = (await keeping.read(id)) ?? {}
    expect(header).toMatchObject({ status: 'failed', message: 'Not done within 1 seconds' })
    const endedAt = Date.parse(header?.endedAt ?? '')
    expect(endedAt).toBeGreaterThanOrEqual(Date.parse(createdAt) + 1_000)
    expect(header?.expiresAt).toBe(instant(endedAt + 3_600_000))
    await keeping.close()
  })

  test('a job whose producer does not answer a request to stop is cancelled', async () => {
    const { id } = await made({ lastEventAt: instant(Date.now() - CANCEL_GRACE) })
    const log = new WakeLog()
    await engine.watch({ job: id }, log.wake)
    const at = instant(Date.now() - CANCEL_GRACE + 1_000)
    taken(await engine.apply(id, { events: [{ type: 'control', cancelRequested: true }], at }))
    await log.until(({ to }) => to === 3)
    expect((await engine.read(id))?.header.status).toBe('cancelled')
  })

  test('a job whose producer missed its heartbeats fails by itself, and one of an object that was away is left its time', async () => {
    // Due within the last minute, so that its alarm is not late.
    const minute = Math.floor(Date.now() / 60_000) * 60_000
    const silent = { status: 'running', heartbeatSeconds: 1 } as const
    const late = await made({ ...silent, lastEventAt: instant(Date.now() - 3_600_000) })
    const { id } = await made({ ...silent, lastEventAt: instant(minute - 61_000) })
    const log = new WakeLog()
    await engine.watch({ job: id }, log.wake)
    if ((await engine.read(id))?.header.version === 1) await log.until(({ to }) => to === 3)
    expect((await engine.read(id))?.header).toMatchObject({ version: 3, status: 'failed', errorCount: 1 })
    expect((await engine.read(late.id))?.header).toMatchObject({ version: 1, status: 'running' })
    expect(await probe<number>('job', late.id, 'alarmAt')).toBeGreaterThan(Date.now() + 1_000)
  })

  test('a job whose alarm comes long after its time is left a minute: nobody could report while the object was away', async () => {
    const late = await made({ createdAt: instant(Date.now() - 3_600_000), timeoutSeconds: 1 })
    // Its alarm comes at once; this one's comes later.
    const { id } = await made({ timeoutSeconds: 2 })
    const log = new WakeLog()
    await engine.watch({ job: id }, log.wake)
    if ((await engine.read(id))?.header.version === 1) await log.until(({ to }) => to === 2)
    expect((await engine.read(late.id))?.header).toMatchObject({ version: 1, status: 'pending' })
  })

  test('an ended job is removed when its time is over: its watchers hear of it, and its owner too', async () => {
    const owner = unique('owner')
    const { id, epoch } = await made({ owner, createdBy: unique('creator') })
    const logs = [new WakeLog(), new WakeLog()]
    await engine.watch({ job: id }, (change) => logs[0]?.wake(change))
    await engine.watch({ owner }, (change) => logs[1]?.wake(change))
    const batch = { events: [{ type: 'status', status: 'completed' } as const], at: now(), retentionSeconds: 1 }
    const { expiresAt } = taken(await engine.apply(id, batch))
    for (const log of logs) {
      await log.until(({ removed }) => removed === true)
      expect(log.changes.at(-1)).toMatchObject({ id, epoch, from: 2, to: 2, header: { expiresAt } })
    }
    expect(await engine.read(id)).toBeUndefined()
    expect(await engine.list({ owner, limit: 10 })).toEqual({ rows: [] })
  })

  test('a job that ended before there was a retention is removed once its owner lists jobs', async () => {
    const owner = unique('owner')
    const { id } = await made({ owner, createdBy: owner })
    taken(
      await engine.apply(id, { events: [{ type: 'status', status: 'completed' }], at: instant(Date.now() - 60_000) }),
    )
    const log = new WakeLog()
    await engine.watch({ owner }, log.wake)
    await engine.list({ owner, limit: 10 })
    const keeping = await RemoteEngine.connect(workerd.url, 'engine', { retentionSeconds: 30 })
    expect((await keeping.list({ owner, limit: 10 })).rows.map((row) => row.id)).toEqual([id])
    await log.until(({ removed }) => removed === true)
    expect(await engine.read(id)).toBeUndefined()
    expect(await engine.list({ owner, limit: 10 })).toEqual({ rows: [] })
    await keeping.close()
  })

  test('a job that goes on in time has nothing due', async () => {
    const { id } = await made({ timeoutSeconds: 1e300 })
    const log = new WakeLog()
    await engine.watch({ job: id }, log.wake)
    taken(await engine.apply(id, { events: [{ type: 'progress', done: 1 }], at: now() }))
    await log.until(({ to }) => to === 2)
    expect((await engine.read(id))?.header).toMatchObject({ version: 2, status: 'pending' })
  })
})

describe.concurrent('an object that is reset', () => {
  test('a stream of its job ends without a word of the job, and goes on where it was when the client comes back', async () => {
    const ada = await clientOf('ada')
    const { id, epoch } = await ada.create()
    const stream = await ada.stream(`api/jobs/${id}/progress`)
    await ada.publish(id, { type: 'progress', done: 1 })
    const seen = await stream.take(2)
    expect(await probe<string>('job', id, 'reset')).toContain('a test asked for it')
    expect(await stream.rest()).toEqual([])
    await ada.publish(id, { type: 'progress', done: 2 })
    await using resumed = await ada.stream(`api/jobs/${id}/progress`, {
      'last-event-id': seen.at(-1)?.lastEventId ?? '',
    })
    const [patch] = await resumed.take(1)
    expect(patch).toMatchObject({ event: 'patch', lastEventId: formatCursor({ epoch, version: 3 }) })
    expect(patch?.data).toMatchObject({ from: 2, to: 3, job: { progress: { done: 2 } } })
  })

  test('streams of several and of all jobs end without a word when the index object of their owner is reset', async () => {
    const owner = unique('reset')
    const ada = await clientOf(owner)
    const ids: string[] = []
    for (let index = 0; index < 6; index++) ids.push((await ada.create()).id)
    const streams = [
      await ada.stream('api/progress'),
      await ada.stream(`api/progress?${ids.map((id) => `job=${id}`).join('&')}`),
    ]
    for (const stream of streams) await stream.take(6)
    await probe('owner', owner, 'reset')
    for (const stream of streams) expect(await stream.rest()).toEqual([])
  })

  test('a request that it was at answers 503 and is done wholly or not at all', async () => {
    const ada = await clientOf('ada')
    const { id } = await ada.create()
    await probe('job', id, 'resetAtNextApply')
    const response = await ada.request('POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 })
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2'])
    expect((await ada.read(id)).version).toBe(1)
    expect((await ada.publish(id, { type: 'progress', done: 1 })).version).toBe(2)
  })
})

describe.concurrent('the index object of a principal', () => {
  test('a stream of more jobs than a request may subscribe to hears of each through their owner', async () => {
    const owner = unique('many')
    const ada = await clientOf(owner)
    const ids: string[] = []
    for (let index = 0; index < 20; index++) ids.push((await ada.create()).id)
    await using stream = await ada.stream(`api/progress?${ids.map((id) => `job=${id}`).join('&')}`)
    const cursors = (await stream.take(20)).map(({ data }) => cursorOf({ id: String(data.jobId), data }))
    expect(cursors.map((cursor) => cursor.split('@')[0]).sort()).toEqual(ids.toSorted())
    for (const id of ids) {
      await ada.publish(id, { type: 'item', id: 'a', label: 'A' }, { type: 'status', status: 'completed' })
    }
    const ended = new Map<unknown, Received[]>(ids.map((id) => [id, []]))
    for (let ends = 0; ends < 20; ) {
      const [message] = await stream.take(1)
      if (message) ended.get(message.data.jobId)?.push(message)
      if (message?.event === 'end') ends += 1
    }
    for (const messages of ended.values()) {
      expect(messages.at(-1)).toMatchObject({ event: 'end', data: { reason: 'completed' } })
      const items = messages.flatMap(({ data }) => (data.items as unknown[]) ?? [])
      expect(items).toMatchObject([{ id: 'a', label: 'A' }])
    }
  })

  test('it hears of progress at most once a second, and of the last', async () => {
    const owner = unique('owner')
    const { id } = await made({ owner })
    const log = new WakeLog()
    await engine.watch({ owner }, log.wake)
    const begun = Date.now()
    for (let done = 1; done <= 100; done++) {
      taken(await engine.apply(id, { events: [{ type: 'progress', done }], at: now() }))
    }
    await log.until(({ to }) => to === 101)
    expect(log.changes.length).toBeLessThanOrEqual(2 + Math.floor((Date.now() - begun) / 1_000))
    expect((await engine.list({ owner, limit: 1 })).rows).toMatchObject([{ version: 101, progress: { done: 100 } }])
  })

  test('it is told later what it could not be told at once, and the producer does not hear of that', async () => {
    const owner = unique('deaf')
    const { id } = await made({ owner, createdBy: unique('creator') })
    const log = new WakeLog()
    await engine.watch({ owner }, log.wake)
    await probe('owner', owner, 'failNext', 'update', 1)
    taken(await engine.apply(id, { events: [{ type: 'status', status: 'completed' }], at: now() }))
    expect((await engine.list({ owner, limit: 1 })).rows).toMatchObject([{ id, status: 'pending' }])
    await log.until(({ to }) => to === 2)
    expect((await engine.list({ owner, limit: 1 })).rows).toMatchObject([{ id, status: 'completed' }])
  }, 180_000)

  test('it tells producers that someone follows all jobs of the owner', async () => {
    const owner = unique('followed')
    const ada = await clientOf(owner)
    const { id } = await ada.create()
    expect((await ada.publish(id, { type: 'status', status: 'running' })).watched).toBe(false)
    await using stream = await ada.stream('api/progress')
    await stream.take(1)
    expect(await ada.publish(id, { type: 'status', status: 'paused' })).toMatchObject({ watched: true, flushMs: 250 })
  })

  test('a job that was written down and never made is not listed, counted or kept', async () => {
    const owner = unique('owner')
    const { header, marks } = newJob({ owner, createdBy: owner })
    expect(await probe('owner', owner, 'admit', { header, marks })).toBeUndefined()
    const second = newJob({ owner, createdBy: owner }, { liveLimit: 1 })
    expect(refusal(await engine.create(second))).toBeUndefined()
    expect((await engine.list({ owner, limit: 10 })).rows.map(({ id }) => id)).toEqual([second.header.id])
    const third = newJob({ owner, createdBy: owner })
    await probe('owner', owner, 'admit', { header: third.header, marks })
    expect((await engine.list({ owner, limit: 10 })).rows.map(({ id }) => id)).toEqual([second.header.id])
    expect(refusal(await engine.create(newJob({ owner, createdBy: owner }, { liveLimit: 1 })))?.status).toBe(429)
  })

  test('a job is not made while it can not be written down, and its id is free', async () => {
    const [owner, createdBy] = [unique('owner'), unique('creator')]
    await probe('owner', owner, 'failNext', 'admit', 1)
    const job = newJob({ owner, createdBy }, { liveLimit: 1 })
    expect(refusal(await engine.create(job))).toEqual({ status: 503, fields: [] })
    expect(await engine.read(job.header.id)).toBeUndefined()
    // The creator's own index wrote it down before; it counts for nothing.
    expect(await engine.create(newJob({ owner, createdBy }, { liveLimit: 1 }))).toMatchObject({ created: true })
    expect(refusal(await engine.create(job))?.status).toBe(429)
    expect(await engine.create(newJob({ ...job.header }))).toMatchObject({ created: true })
  })

  test('a job that was made though the index object was not told so is listed', async () => {
    const owner = unique('owner')
    await probe('owner', owner, 'failNext', 'update', 1)
    const { id } = await made({ owner })
    expect((await engine.list({ owner, limit: 10 })).rows).toMatchObject([{ id, version: 1 }])
  })
})

describe('an object that nothing happens to', () => {
  test('it goes to sleep while its stream stays open and is pinged; then the stream goes on without a hole', async () => {
    const { client, job, stream, birth } = idleJob
    expect((await stream.next())?.event).toBe('snapshot')
    // At once, and after 30 s: in workerd an object goes to sleep after 10 s.
    for (const _ of ['greeting', 'ping']) await stream.ping()
    expect(await probe<string>('job', job.id, 'birth')).not.toBe(birth)
    expect((await client.publish(job.id, { type: 'progress', done: 1 })).watched).toBe(true)
    const progress = await stream.next()
    const cursor = formatCursor({ epoch: job.epoch, version: 2 })
    expect(progress).toMatchObject({ event: 'progress', lastEventId: cursor })
    await stream.close()
  }, 180_000)

  test('it goes to sleep while it is the index of an owner whose jobs are all followed', async () => {
    const { client, job, stream, birth } = idleOwner
    expect((await stream.next())?.event).toBe('snapshot')
    // At once, and after 30 s: in workerd an object goes to sleep after 10 s.
    for (const _ of ['greeting', 'ping']) await stream.ping()
    expect(await probe<string>('owner', sleeper, 'birth')).not.toBe(birth)
    await client.publish(job.id, { type: 'status', status: 'running' })
    const patch = await stream.next()
    expect(patch).toMatchObject({ event: 'patch', data: { jobId: job.id, from: 1, to: 2 } })
    await stream.close()
  }, 180_000)
})

test('an object that was only asked for stores nothing', async () => {
  const id = unique('nobody')
  const ada = await clientOf('ada')
  expect((await ada.request('GET', `api/jobs/${id}`)).status).toBe(404)
  expect((await ada.request('POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 })).status).toBe(404)
  expect(await probe<string[]>('job', id, 'tables')).toEqual([])
  expect(await engine.list({ owner: id, limit: 10 })).toEqual({ rows: [] })
  expect(await probe<string[]>('owner', id, 'tables')).toEqual([])
})

test('a job that was removed leaves nothing stored in its object', async () => {
  const { id } = await made({ timeoutSeconds: 60, createdBy: unique('creator') })
  taken(await engine.apply(id, { events: [{ type: 'item', id: 'a', label: 'A' }], at: now() }))
  expect(await probe<string[]>('job', id, 'tables')).toContain('jobs')
  expect(await engine.remove(id)).toBe(true)
  expect(await probe<string[]>('job', id, 'tables')).toEqual([])
})

test('what was acknowledged is there after a kill, with its rows and in the lists', async () => {
  const killed = await Workerd.start(CONFIG)
  const before = await RemoteEngine.connect(killed.url, 'engine')
  const owner = unique('owner')
  const { id } = await made({ owner, timeoutSeconds: 1e6 }, before)
  let acknowledged = 1
  const enough = Promise.withResolvers<void>()
  const publishing = (async () => {
    for (;;) {
      const events = [{ type: 'item', id: `${acknowledged}`, label: 'L' } as const]
      acknowledged = taken(await before.apply(id, { events, at: now() })).version
      if (acknowledged >= 100) enough.resolve()
    }
  })().catch(() => {})
  await enough.promise
  const folder = await killed.kill()
  await publishing
  const revived = await Workerd.start(CONFIG, { folder })
  const after = await RemoteEngine.connect(revived.url, 'engine')
  const patch = await after.changesSince(id, undefined, { view: 'all', maxBytes: 1e9 })
  expect(acknowledged).toBeGreaterThanOrEqual(100)
  // The last may have been written and its answer lost.
  expect([acknowledged, acknowledged + 1]).toContain(patch?.to ?? 0)
  expect(patch?.items).toHaveLength((patch?.to ?? 0) - 1)
  expect((await after.list({ owner, limit: 10 })).rows.map((header) => header.id)).toEqual([id])
  await after.close()
  await revived.stop()
}, 180_000)
