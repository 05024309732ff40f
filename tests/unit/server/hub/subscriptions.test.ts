import { describe, expect, test } from 'bun:test'
import { MemoryEngine } from '../../../../server/engines/memory.ts'
import { ProblemError } from '../../../../server/errors.ts'
import { Hub } from '../../../../server/hub/hub.ts'
import type { Change, Engine } from '../../../../server/jobs/engine.ts'
import { Metrics } from '../../../../server/metrics.ts'
import { CREATED_AT, newHeader } from '../../../arbitraries.ts'
import { EventStreamParser } from '../../../event-stream-parser.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

const marks = { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 0, requestDigest: '' }
const viewer = { sub: 'ada' }

/** An engine that says what is asked of it, tells all, and can lose its subscriptions. */
class ToldEngine extends MemoryEngine {
  readonly tellsAll = true
  readonly targets: string[] = []
  readonly lose: (() => void)[] = []
  open = 0
  reads = 0

  override async read(id: string) {
    this.reads += 1
    return super.read(id)
  }

  override async list(query: Parameters<Engine['list']>[0]) {
    this.reads += 1
    return super.list(query)
  }

  override async watch(target: Parameters<Engine['watch']>[0], wake: (change: Change) => void, onLost?: () => void) {
    this.targets.push(Object.entries(target).flat().join(' '))
    if (onLost) this.lose.push(onLost)
    const unwatch = await super.watch(target, wake)
    this.open += 1
    return () => {
      this.open -= 1
      unwatch()
    }
  }
}

/** A hub where a stream may hold two subscriptions, and jobs of some owners: `job-0` of the first, and so on. */
async function setUp(owners: string[]) {
  const engine = new ToldEngine()
  const jobs = owners.map((owner, index) => ({ id: `job-${index}`, owner }))
  for (const job of jobs) await engine.create({ header: newHeader(job), marks })
  const clock = new VirtualClock(CREATED_AT)
  const rest = {
    random: new SeededRandom(1),
    metrics: new Metrics(),
    frameMs: 25,
    pingMs: 30_000,
    limits: { streams: 100, jobStreams: 100 },
  }
  const hub = new Hub({ engine, clock, ...rest, subscriptionsPerStream: 2 })
  return { engine, clock, hub, jobs }
}

/** Reads a stream: what it has said so far, and whether it has ended. */
function listen(stream: ReadableStream<Uint8Array>) {
  const parser = new EventStreamParser()
  const said = { isOver: false, names: () => parser.dispatched.map(({ event }) => event) }
  const reader = stream.getReader()
  void (async () => {
    for (let read = await reader.read(); !read.done; read = await reader.read()) parser.push(read.value)
    said.isOver = true
  })()
  return said
}

describe('Hub with subscriptionsPerStream', () => {
  test('Hub.openJob subscribes once per stream, and both streams get the events', async () => {
    const { engine, clock, hub } = await setUp(['ada'])
    const streams = [await hub.openJob('job-0', 'all', undefined, viewer)]
    streams.push(await hub.openJob('job-0', 'all', undefined, viewer))
    expect(engine.targets).toEqual(['job job-0', 'job job-0'])
    expect(hub.open).toEqual({ streams: 2, channels: 1 })
    const said = streams.map(listen)
    await settle()
    await engine.apply('job-0', { events: [{ type: 'status', status: 'completed' }], at: CREATED_AT })
    await clock.advance(25)
    for (const { names, isOver } of said) {
      expect(names()).toEqual(['snapshot', 'ping', 'status', 'end'])
      expect(isOver).toBe(true)
    }
    expect(hub.open).toEqual({ streams: 0, channels: 0 })
    expect(engine.open).toBe(0)
  })

  test('Hub.openJobs subscribes to each of a few jobs, and to the owners of more', async () => {
    const { engine, hub, jobs, clock } = await setUp(['ada', 'bob', 'ada'])
    const few = await hub.openJobs(jobs.slice(0, 2), viewer)
    expect(engine.targets.splice(0)).toEqual(['job job-0', 'job job-1'])
    await few.cancel()
    const said = listen(await hub.openJobs(jobs, viewer))
    expect(engine.targets).toEqual(['owner ada', 'owner bob'])
    await settle()
    for (const { id } of jobs) await engine.apply(id, { events: [{ type: 'progress', done: 1 }], at: CREATED_AT })
    await clock.advance(25)
    expect(said.names()).toEqual(['snapshot', 'snapshot', 'snapshot', 'ping', 'progress', 'progress', 'progress'])
    hub.close()
    expect(engine.open).toBe(0)
  })

  test('Hub.openJobs refuses jobs of more owners than a stream may subscribe to', async () => {
    const { hub, jobs } = await setUp(['ada', 'bob', 'eve'])
    const refused = await hub.openJobs(jobs, viewer).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ProblemError)
    expect((refused as ProblemError).problem).toMatchObject({
      status: 422,
      errors: [{ field: 'job', detail: 'names jobs of 3 owners; one stream can follow jobs of 2' }],
    })
    expect(hub.open).toEqual({ streams: 0, channels: 0 })
  })

  test('Hub.isWatched ignores streams with subscriptions of their own', async () => {
    const { hub } = await setUp(['ada'])
    const stream = await hub.openJob('job-0', 'all', undefined, viewer)
    expect(hub.isWatched({ id: 'job-0', owner: 'ada' }, undefined)).toBe(false)
    await stream.cancel()
  })
})

describe('Hub over an engine that loses no wake-up', () => {
  test('Hub closes streams without end when their subscription is lost: of one job, of several and of an owner', async () => {
    const { engine, hub, jobs } = await setUp(['ada', 'ada', 'ada'])
    const streams = [
      await hub.openJob('job-0', 'all', undefined, viewer),
      await hub.openJobs(jobs, viewer),
      await hub.openOwner('ada', undefined, viewer),
    ].map(listen)
    await settle()
    for (const lose of engine.lose) lose()
    await settle()
    for (const { names, isOver } of streams) {
      expect(isOver).toBe(true)
      expect(new Set(names())).toEqual(new Set(['snapshot', 'ping']))
    }
    expect(hub.open).toEqual({ streams: 0, channels: 0 })
  })

  test('Hub reads no version at pings', async () => {
    const { engine, hub, clock } = await setUp(['ada'])
    const streams = [
      await hub.openJob('job-0', 'all', undefined, viewer),
      await hub.openOwner('ada', undefined, viewer),
    ].map(listen)
    await settle()
    engine.reads = 0
    await clock.advance(60_000)
    for (const { names } of streams) expect(names().filter((name) => name === 'ping')).toHaveLength(3)
    expect(engine.reads).toBe(0)
    hub.close()
  })

  test('Hub retries a failed read at the next ping', async () => {
    const { engine, hub, clock } = await setUp(['ada'])
    const said = listen(await hub.openJob('job-0', 'all', undefined, viewer))
    await settle()
    const read = engine.changesSince.bind(engine)
    engine.changesSince = () => Promise.reject(new Error('away'))
    const events = Array.from({ length: 9 }, (_, done) => ({ type: 'progress', done }) as const)
    await engine.apply('job-0', { events, at: CREATED_AT })
    await clock.advance(1_000)
    expect(said.names()).toEqual(['snapshot', 'ping'])
    engine.changesSince = read
    await clock.advance(30_000)
    expect(said.names()).toEqual(['snapshot', 'ping', 'ping', 'patch'])
    hub.close()
  })

  test('Hub retries a failed read when the engine tells of the same version again', async () => {
    const { engine, hub, clock } = await setUp(['ada'])
    const [watch, read] = [engine.watch.bind(engine), engine.changesSince.bind(engine)]
    let tell: Parameters<typeof watch>[1] = () => {}
    engine.watch = (target, wake, onLost) => {
      tell = wake
      return watch(target, wake, onLost)
    }
    const said = listen(await hub.openJob('job-0', 'all', undefined, viewer))
    await settle()
    engine.changesSince = () => Promise.reject(new Error('away'))
    const events = Array.from({ length: 9 }, (_, done) => ({ type: 'progress', done }) as const)
    const applied = await engine.apply('job-0', { events, at: CREATED_AT })
    await clock.advance(1_000)
    engine.changesSince = read
    if ('refused' in applied) throw new Error(applied.refused.detail)
    const { id, epoch, version } = applied.header
    tell({ id, epoch, from: version, to: version, header: applied.header })
    await clock.advance(1_000)
    expect(said.names()).toEqual(['snapshot', 'ping', 'patch'])
    hub.close()
  })
})
