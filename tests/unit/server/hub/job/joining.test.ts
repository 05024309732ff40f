import { describe, expect, test } from 'bun:test'
import { MemoryEngine } from '../../../../../server/engines/memory.ts'
import { Hub } from '../../../../../server/hub/hub.ts'
import type { Change, Engine } from '../../../../../server/jobs/engine.ts'
import { Metrics } from '../../../../../server/metrics.ts'
import type { JobEvent } from '../../../../../shared/document/events.ts'
import { CREATED_AT, newHeader } from '../../../../arbitraries.ts'
import { EventStreamParser } from '../../../../event-stream-parser.ts'
import { SeededRandom } from '../../../../seeded-random.ts'
import { settle, VirtualClock } from '../../../../virtual-clock.ts'

const marks = { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 0, requestDigest: '' }

/** A hub over an engine in memory, some methods of which a test may replace. */
async function setUp(override: (inner: MemoryEngine) => Partial<Engine> = () => ({})) {
  const inner = new MemoryEngine()
  await inner.create({ header: newHeader(), marks })
  const methods: Engine = {
    name: 'test',
    notes: inner.notes,
    create: (job) => inner.create(job),
    apply: (id, batch) => inner.apply(id, batch),
    read: (id) => inner.read(id),
    changesSince: (id, cursor, page) => inner.changesSince(id, cursor, page),
    list: (query) => inner.list(query),
    remove: (id, epoch) => inner.remove(id, epoch),
    watch: (target, wake) => inner.watch(target, wake),
    check: () => inner.check(),
    close: () => inner.close(),
  }
  const engine: Engine = { ...methods, ...override(inner) }
  const clock = new VirtualClock(CREATED_AT)
  const hub = new Hub({
    engine,
    clock,
    random: new SeededRandom(1),
    metrics: new Metrics(),
    frameMs: 25,
    pingMs: 30_000,
    limits: { streams: 100, jobStreams: 100 },
  })
  const publish = (...events: JobEvent[]) => inner.apply('job-1', { events, at: CREATED_AT })
  return { inner, clock, hub, publish }
}

/** Reads a stream; answers what it has said so far, as event and id, or as event and data of an end. */
function listen(stream: ReadableStream<Uint8Array>): () => string[] {
  const parser = new EventStreamParser()
  const reader = stream.getReader()
  void (async () => {
    for (let read = await reader.read(); !read.done; read = await reader.read()) parser.push(read.value)
  })()
  return () =>
    parser.dispatched.map(({ event, data, lastEventId }) => `${event} ${event === 'end' ? data : lastEventId}`)
}

const item = (id: string, label: string): JobEvent => ({ type: 'item', id, label })

describe('Hub: joining', () => {
  test('Hub.openJob with a cursor sends one patch first, since the client may have lost its connection between two pages', async () => {
    const { hub, clock, publish } = await setUp()
    const other = await hub.openJob('job-1', 'all', undefined, { sub: 'ada' })
    await settle()
    // Each leaves as a frame of its own, and the hub keeps them.
    for (const label of ['one', 'two', 'three']) {
      await publish(item('a', label))
      await clock.advance(25)
    }
    const stream = await hub.openJob('job-1', 'all', { epoch: 'e1', version: 2 }, { sub: 'ada' })
    const said = listen(stream)
    await clock.advance(100)
    expect(said()).toEqual(['patch e1-4', 'ping e1-4'])
    await other.cancel()
  })

  test('Hub.openJob sends an event that was published while it read an older state', async () => {
    let isSlow = true
    const read = Promise.withResolvers<void>()
    const { hub, clock, publish } = await setUp((inner) => ({
      async changesSince(id, cursor, page) {
        const patch = await inner.changesSince(id, cursor, page)
        if (isSlow) await read.promise
        return patch
      },
    }))
    const stream = await hub.openJob('job-1', 'all', { epoch: 'e1', version: 1 }, { sub: 'ada' })
    const said = listen(stream)
    await settle()
    isSlow = false
    await publish({ type: 'status', status: 'completed' })
    await settle()
    read.resolve()
    await clock.advance(100)
    expect(said()).toEqual(['ping ', 'patch e1-2', 'end {"reason":"completed"}'])
  })

  test('Hub.openJobs sends the end of a job that is removed while the stream is being opened', async () => {
    const subscribed = Promise.withResolvers<void>()
    let wake: ((change: Change) => void) | undefined
    const { hub, clock } = await setUp(() => ({
      async watch(_target, run) {
        wake = run
        await subscribed.promise
        return () => {}
      },
    }))
    const cursor = { epoch: 'e1', version: 1 }
    const opening = hub.openJobs([{ id: 'job-1', cursor }], { sub: 'ada' })
    await settle()
    wake?.({ id: 'job-1', epoch: 'e1', from: 1, to: 1, removed: true })
    subscribed.resolve()
    const said = listen(await opening)
    await clock.advance(100)
    expect(said()).toEqual(['end {"jobId":"job-1","reason":"deleted"}', 'ping '])
  })
})

describe('Hub.openOwner', () => {
  test('Hub.openOwner retries a failed read at the next ping, even over an engine that loses no wake-up', async () => {
    let isAway = false
    let wake: ((change: Change) => void) | undefined
    const { hub, clock, publish } = await setUp((inner) => ({
      tellsAll: true,
      async watch(target, run) {
        wake = run
        return inner.watch(target, () => {})
      },
      async read(id) {
        if (isAway) throw new Error('away')
        return inner.read(id)
      },
    }))
    const said = listen(await hub.openOwner('ada', undefined, { sub: 'ada' }))
    await clock.advance(100)
    await publish(item('a', 'one'))
    isAway = true
    // Without the header, what changed has to be read.
    wake?.({ id: 'job-1', epoch: 'e1', from: 1, to: 2 })
    await clock.advance(100)
    isAway = false
    expect(said()).toEqual(['snapshot ', 'ping '])
    await clock.advance(30_000)
    expect(said().filter((message) => !message.startsWith('ping'))).toEqual(['snapshot ', 'patch '])
  })
})
