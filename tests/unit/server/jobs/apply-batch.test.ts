import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { applyBatch, headerBytes, type Loaded, namedRows, type Outcome } from '../../../../server/jobs/apply-batch.ts'
import type { Batch, Commit, Decision, DueTerms, Marks } from '../../../../server/jobs/engine.ts'
import { createdIn } from '../../../../server/jobs/generations.ts'
import type { JobEvent } from '../../../../shared/document/events.ts'
import type { Item, JobHeader, Step } from '../../../../shared/document/job.ts'
import { defaultLimits, type Limits } from '../../../../shared/document/limits.ts'
import { foldAll, history, instantOf, newDocument, newHeader, producerEvent } from '../../../arbitraries.ts'

const AT = instantOf(2)
const progress = (done: number): JobEvent => ({ type: 'progress', done })
const status = (status: JobHeader['status'], fields: object = {}): JobEvent => ({ type: 'status', status, ...fields })
const item = (id: string, fields: object = { status: 'running' }): JobEvent => ({ type: 'item', id, ...fields })
const step = (id: string, fields: object = { status: 'running' }): JobEvent => ({ type: 'step', id, ...fields })

/** The least that can hold a job: what an engine does with `applyBatch`, and nothing else. */
class Store {
  header: JobHeader
  marks: Marks
  readonly steps = new Map<string, Step>()
  readonly items = new Map<string, Item>()
  readonly keys = new Map<string, string>()
  readonly limits: Limits
  generation: string | undefined

  constructor(fields: Partial<JobHeader> = {}, limits: Partial<Limits> = {}) {
    this.header = newHeader(fields)
    this.marks = {
      resultVersion: 0,
      metadataVersion: fields.metadata ? 1 : 0,
      stepCount: 0,
      bytes: headerBytes(this.header),
      requestDigest: 'r',
    }
    this.limits = { ...defaultLimits, ...limits }
  }

  try(events: JobEvent[], batch: Partial<Batch> = {}): Outcome {
    const { key } = batch
    const digest = key && this.keys.get(key.key)
    const loaded: Loaded = {
      job: { header: this.header, marks: this.marks },
      step: (id) => this.steps.get(id),
      item: (id) => this.items.get(id),
      key: digest === undefined ? undefined : { digest },
      generation: this.generation,
    }
    return applyBatch(loaded, { events, at: AT, ...batch }, this.limits)
  }

  /** Commits what a batch comes to; throws when it is refused. */
  apply(events: JobEvent[], batch: Partial<Batch> = {}): Commit {
    const outcome = this.try(events, batch)
    if (!('commit' in outcome)) throw new Error(JSON.stringify(outcome))
    const { commit } = outcome
    this.header = commit.header
    this.marks = commit.marks
    for (const row of commit.steps) this.steps.set(row.id, row)
    for (const row of commit.items) this.items.set(row.id, row)
    if (batch.key) this.keys.set(batch.key.key, batch.key.digest)
    return commit
  }

  /** Why a batch is refused: status and named fields. */
  refusal(events: JobEvent[], batch: Partial<Batch> = {}): [number, ...string[]] | undefined {
    const outcome = this.try(events, batch)
    if (!('refused' in outcome)) return undefined
    return [outcome.refused.status, ...(outcome.refused.errors ?? []).map(({ field }) => field)]
  }
}

describe('namedRows', () => {
  test('namedRows are the ids of items and steps, each once', () => {
    const events = [item('a'), step('a'), item('b'), item('a'), progress(1)]
    expect(namedRows(events)).toEqual({ steps: new Set(['a']), items: new Set(['a', 'b']) })
  })
})

describe('applyBatch', () => {
  test('applyBatch numbers the events, and writes type, version and time before their fields', () => {
    const { events, from, header } = new Store().apply([progress(1), item('a')])
    expect(JSON.stringify(events)).toBe(
      `[{"type":"progress","version":2,"at":"${AT}","done":1},{"type":"item","version":3,"at":"${AT}","id":"a","status":"running"}]`,
    )
    expect([from, header.version, header.updatedAt]).toEqual([1, 3, AT])
  })

  test('applyBatch returns each row once, in its newest state', () => {
    const store = new Store()
    const { items, steps } = store.apply([
      item('a'),
      step('a'),
      item('a', { progress: 5 }),
      item('b'),
      step('a', { done: 1 }),
    ])
    expect(items).toStrictEqual([
      { id: 'a', index: 0, version: 4, status: 'running', progress: 5 },
      { id: 'b', index: 1, version: 5, status: 'running' },
    ])
    expect(steps).toStrictEqual([{ id: 'a', index: 0, version: 6, status: 'running', startedAt: AT, done: 1 }])
    expect(store.apply([item('b', { status: 'failed' })]).items).toStrictEqual([
      { id: 'b', index: 1, version: 7, status: 'failed' },
    ])
  })

  test('applyBatch equals the fold of its events, in batches of any size', () => {
    fc.assert(
      fc.property(history, fc.array(fc.integer({ min: 1, max: 7 })), (events, sizes) => {
        const store = new Store()
        const applied = []
        const errors = []
        const logs = []
        for (let at = 0, turn = 0; at < events.length; turn++) {
          const batch = events.slice(at, at + (sizes[turn] ?? 5))
          const commit = store.apply(batch, { at: instantOf(turn) })
          applied.push(...commit.events)
          errors.push(...commit.errors)
          logs.push(...commit.logs)
          at += batch.length
        }
        const folded = foldAll(newDocument(), applied)
        const byIndex = <T extends { index: number }>(rows: Map<string, T>) =>
          [...rows.values()].sort((a, b) => a.index - b.index)
        expect({
          ...store.header,
          steps: byIndex(store.steps),
          items: byIndex(store.items),
          errors,
          logs,
        }).toStrictEqual(folded)
        expect(store.marks.stepCount).toBe(folded.steps.length)
      }),
    )
  })

  test('applyBatch does not mutate its input, whether it accepts the batch or not', () => {
    fc.assert(
      fc.property(history, fc.array(producerEvent), fc.boolean(), (events, more, isTight) => {
        const store = new Store({}, isTight ? { items: 1, steps: 1, documentBytes: 600 } : {})
        const outcome = store.try(events)
        if ('commit' in outcome) store.apply(events)
        const before = structuredClone([store.header, store.marks, store.steps, store.items])
        store.try(more)
        expect([store.header, store.marks, store.steps, store.items]).toStrictEqual(before)
      }),
    )
  })

  test('applyBatch of a batch with one event that is refused applies none', () => {
    const store = new Store({}, { items: 2 })
    expect(store.refusal([item('a'), item('b'), item('c')])).toEqual([413, '2.id'])
    expect(store.try([item('a'), item('b'), item('c')])).not.toHaveProperty('commit')
    expect(store.refusal([item('a'), item('b'), item('a')])).toBeUndefined()
  })
})

describe('applyBatch: who and when', () => {
  test('applyBatch of another principal than the creator is refused like one to a missing job', () => {
    const store = new Store()
    const outcome = store.try([progress(1)], { createdBy: 'mallory' })
    expect(outcome).toEqual({
      refused: {
        type: 'urn:milepost:not-found',
        status: 404,
        title: 'Not found',
        detail: "This job does not exist, or it isn't yours.",
      },
    })
    expect(store.refusal([progress(1)], { createdBy: 'importer' })).toBeUndefined()
  })

  test('applyBatch reveals nothing to other principals through a used key', () => {
    const store = new Store()
    const key = { key: 'k', digest: 'd' }
    store.apply([progress(1)], { key })
    expect(store.refusal([progress(1)], { key, createdBy: 'mallory' })).toEqual([404])
    expect(store.refusal([progress(1)], { key: { key: 'k', digest: 'other' }, createdBy: 'mallory' })).toEqual([404])
  })

  test('applyBatch for another epoch is refused like one to a missing job, even with a used key', () => {
    const store = new Store()
    const key = { key: 'k', digest: 'd' }
    store.apply([progress(1)], { key, epoch: 'e1' })
    expect(store.refusal([progress(1)], { key, epoch: 'e2' })).toEqual([404])
    expect(store.refusal([progress(2)], { epoch: 'e2' })).toEqual([404])
    expect(store.refusal([progress(2)], { epoch: 'e1' })).toBeUndefined()
  })

  test('applyBatch for another epoch is refused like one to a missing job', () => {
    const store = new Store()
    expect(store.refusal([progress(2)], { epoch: 'e1' })).toBeUndefined()
    expect(store.refusal([progress(2)], { epoch: 'e2' })).toEqual([404])
    expect(store.refusal([], { epoch: 'e2', decide: 'cancel' })).toEqual([404])
  })
})

describe('applyBatch: idempotency', () => {
  const key = { key: 'k', digest: 'd' }

  test('applyBatch of a repeated key returns the current header, and applies nothing', () => {
    const store = new Store()
    store.apply([progress(1)], { key })
    store.apply([progress(2)])
    expect(store.try([progress(1)], { key })).toEqual({ repeat: store.header })
    expect(store.header.version).toBe(3)
  })

  test('applyBatch of a repeated key is recognized before other checks: on an ended job, with an event too many', () => {
    const store = new Store({}, { items: 1 })
    store.apply([item('a'), status('completed')], { key })
    expect(store.try([item('a'), status('completed')], { key })).toEqual({ repeat: store.header })
    expect(store.refusal([progress(1)])).toEqual([409, 'type'])
  })

  test('applyBatch of a repeated key with another body is refused, and names the header', () => {
    const store = new Store()
    store.apply([progress(1)], { key })
    expect(store.refusal([progress(9)], { key: { key: 'k', digest: 'other' } })).toEqual([422, 'Idempotency-Key'])
  })
})

describe('applyBatch: decisions', () => {
  const decided = (store: Store, decide: Decision) => {
    const outcome = store.try([], { decide })
    return 'commit' in outcome
      ? outcome.commit.events.map(({ version: _version, at: _at, ...event }) => event)
      : outcome
  }
  const terms = (now: number): DueTerms => ({ now, since: 0, steps: [], retentionSeconds: 60 })

  test('applyBatch cancels a pending job at once, and records the request on a running one', () => {
    const asked = { type: 'control', cancelRequested: true } as const
    expect(decided(new Store(), 'cancel')).toEqual([asked, { type: 'status', status: 'cancelled' }])
    for (const status of ['running', 'paused'] as const)
      expect(decided(new Store({ status }), 'cancel')).toEqual([asked])
  })

  test("applyBatch records a watcher's request, and refuses it on an ended job", () => {
    expect(decided(new Store(), 'pause')).toEqual([{ type: 'control', pauseRequested: true }])
    expect(decided(new Store(), 'resume')).toEqual([{ type: 'control', pauseRequested: false }])
    for (const operation of ['cancel', 'pause', 'resume'] as const)
      expect(decided(new Store({ status: 'failed' }), operation)).toMatchObject({
        refused: { status: 409, detail: 'The job is failed already.' },
      })
  })

  test('applyBatch ends a job that is due, and applies nothing to one that is not, or has ended', () => {
    const store = new Store({ timeoutSeconds: 100 })
    const created = Date.parse(store.header.createdAt)
    expect(decided(store, terms(created + 99_999))).toEqual({ repeat: store.header })
    expect(decided(store, terms(created + 100_000))).toMatchObject([{ type: 'status', status: 'failed' }])
    const ended = new Store({ status: 'completed', timeoutSeconds: 100 })
    expect(decided(ended, terms(created + 100_000))).toEqual({ repeat: ended.header })
  })
})

describe('applyBatch: generations', () => {
  test('applyBatch writes a generation into its first event, and records its first version', () => {
    const store = new Store()
    store.marks = createdIn('a', store.marks)
    const apply = (generation: string) => {
      store.generation = generation
      return store.apply([progress(1), progress(2)])
    }
    const first = apply('a')
    expect([first.header.generation, first.marks.generations]).toEqual([undefined, [['a', 1]]])
    const second = apply('b')
    expect(second.events.map((event) => event.generation)).toEqual(['b', undefined])
    expect([second.header.generation, second.marks.generations?.at(-1)]).toEqual(['b', ['b', 4]])
    const third = apply('b')
    expect([third.events[0]?.generation, third.header.generation]).toEqual([undefined, 'b'])
    for (const generation of 'cdefghij') apply(generation)
    expect(store.marks.generations).toHaveLength(8)
    expect(store.marks.generations?.[0]).toEqual(['c', 8])
  })
})

describe('applyBatch: status', () => {
  const terminal = ['completed', 'failed', 'cancelled'] as const
  const live = ['pending', 'running', 'paused'] as const

  test('applyBatch accepts any transition from a status that is not terminal', () => {
    for (const from of live)
      for (const to of [...live, ...terminal]) expect(new Store({ status: from }).refusal([status(to)])).toBeUndefined()
  })

  test('applyBatch of a way back to pending begins the next attempt, and writes its number into the event', () => {
    for (const from of ['running', 'paused'] as const) {
      const store = new Store({ status: from })
      expect(store.apply([status('pending')]).events[0]).toMatchObject({ status: 'pending', attempt: 2 })
      // It is pending already.
      expect(store.apply([status('pending')]).events[0]).not.toHaveProperty('attempt')
      expect(store.apply([status('running'), status('pending'), status('running')]).header.attempt).toBe(3)
    }
  })

  test('applyBatch takes the number of an attempt from its producer, and refuses one that is lower', () => {
    const store = new Store({ status: 'running' })
    const attempt = (status: JobHeader['status'], attempt: number) => ({ type: 'status', status, attempt }) as const
    expect(store.apply([attempt('pending', 5)]).header.attempt).toBe(5)
    expect(store.apply([attempt('running', 5)]).header.attempt).toBe(5)
    // Back to its queue, but not for a failure: it is the same attempt.
    expect(store.apply([attempt('pending', 5)]).header.attempt).toBe(5)
    expect(store.refusal([attempt('running', 4)])).toEqual([422, 'attempt'])
    expect(store.refusal([progress(1), attempt('running', 4)])).toEqual([422, '1.attempt'])
    expect(store.apply([attempt('running', 1_000_000), status('pending')]).header.attempt).toBe(1_000_000)
  })

  test('applyBatch of any event on a job that ended is refused', () => {
    const events = [progress(1), ...[...live, ...terminal].map((to) => status(to)), item('a'), step('a')]
    const others: JobEvent[] = [
      { type: 'error', message: 'x' },
      { type: 'log', message: 'x' },
      { type: 'control', cancelRequested: true },
    ]
    for (const ended of terminal)
      for (const event of [...events, ...others])
        expect(new Store({ status: ended }).refusal([event])).toEqual([409, 'type'])
  })

  test('applyBatch with an event after the end is refused as a whole, and names the event', () => {
    expect(new Store().refusal([progress(1), status('failed'), { type: 'log', message: 'x' }])).toEqual([409, '2.type'])
    expect(new Store().refusal([status('completed'), status('completed')])).toEqual([409, '1.type'])
    expect(new Store().refusal([status('failed'), status('pending')])).toEqual([409, '1.type'])
  })

  test('applyBatch accepts every type of event on a pending job, which stays pending', () => {
    const store = new Store()
    store.apply([progress(1), item('a'), step('a'), { type: 'error', message: 'x' }, { type: 'log', message: 'x' }])
    expect(store.header.status).toBe('pending')
  })
})

describe('applyBatch: retention', () => {
  test('applyBatch writes expiresAt into terminal status events only', () => {
    for (const to of ['completed', 'failed', 'cancelled'] as const) {
      const { events, header } = new Store().apply([status('running'), status(to)], { retentionSeconds: 86_400 })
      expect(events.map((event) => event.expiresAt)).toEqual([undefined, '2026-01-02T00:00:02.000Z'])
      expect(header.expiresAt).toBe('2026-01-02T00:00:02.000Z')
    }
    const { events } = new Store().apply([status('running'), progress(1), status('paused')], { retentionSeconds: 1 })
    expect(events.some((event) => 'expiresAt' in event)).toBe(false)
  })

  test('applyBatch writes no expiry without a retention, and an immediate one with a retention of 0', () => {
    expect('expiresAt' in new Store().apply([status('failed')]).header).toBe(false)
    expect(new Store().apply([status('failed')], { retentionSeconds: 0 }).header.expiresAt).toBe(AT)
  })
})

describe('applyBatch: marks', () => {
  test('applyBatch marks the version that last changed result and metadata, clearing too', () => {
    const store = new Store({ metadata: { a: 1 } })
    const marks = () => [store.marks.resultVersion, store.marks.metadataVersion]
    expect(marks()).toEqual([0, 1])
    store.apply([progress(1), status('running', { result: 1 }), progress(2)])
    expect(marks()).toEqual([3, 1])
    store.apply([status('running'), status('running', { metadata: null }), status('running', { result: null })])
    expect(marks()).toEqual([7, 6])
  })

  test('applyBatch marks when a watcher first asked for the end', () => {
    const store = new Store()
    store.apply([{ type: 'control', pauseRequested: true }], { at: instantOf(10) })
    expect(store.marks.cancelRequestedAt).toBeUndefined()
    store.apply([{ type: 'control', cancelRequested: true }], { at: instantOf(20) })
    store.apply([{ type: 'control', cancelRequested: true }], { at: instantOf(30) })
    expect(store.marks.cancelRequestedAt).toBe(instantOf(20))
  })
})

describe('applyBatch: limits', () => {
  test('applyBatch accepts items and steps up to the limit; existing rows do not count as new', () => {
    for (const [row, limit] of [
      [item, 'items'],
      [step, 'steps'],
    ] as const) {
      const store = new Store({}, { [limit]: 3 })
      expect(store.refusal([row('a'), row('b'), row('c'), row('a')])).toBeUndefined()
      store.apply([row('a'), row('b'), row('c')])
      expect(store.refusal([row('d')])).toEqual([413, 'id'])
      expect(store.refusal([row('a'), row('d')])).toEqual([413, '1.id'])
      expect(store.refusal([row('a'), row('__proto__')])).toEqual([413, '1.id'])
      expect(store.refusal([row('b', { status: 'succeeded' })])).toBeUndefined()
    }
  })

  test('applyBatch counts items and steps separately', () => {
    const store = new Store({}, { items: 1, steps: 1 })
    expect(store.refusal([item('a'), step('a')])).toBeUndefined()
  })

  test('applyBatch enforces the byte limit of the document exactly', () => {
    const bytes = headerBytes(newHeader())
    const row = 80 + 'aé'.length + 1 + 'running'.length
    expect(new Store({}, { documentBytes: bytes + row }).refusal([item('aé')])).toBeUndefined()
    expect(new Store({}, { documentBytes: bytes + row - 1 }).refusal([item('aé')])).toEqual([413, 'id'])
    const result = status('running', { result: 'x'.repeat(98) })
    expect(new Store({}, { documentBytes: bytes + 100 }).refusal([result])).toBeUndefined()
    expect(new Store({}, { documentBytes: bytes + 99 }).refusal([result])).toEqual([413, 'result'])
    const metadata = status('running', { metadata: { a: 'x' } })
    expect(new Store({}, { documentBytes: bytes + 8 }).refusal([progress(1), metadata])).toEqual([413, '1.metadata'])
  })

  test('applyBatch over the limit accepts events that do not grow the job, so that it can end', () => {
    const store = new Store()
    store.apply([item('a', { label: 'x'.repeat(100) }), item('b', { label: 'x'.repeat(100) })])
    store.limits.documentBytes = 50
    expect(store.refusal([progress(1)])).toBeUndefined()
    expect(store.refusal([item('a', { label: 'y'.repeat(100) })])).toBeUndefined()
    expect(store.refusal([item('a', { label: 'y'.repeat(101) })])).toEqual([413, 'id'])
    expect(store.refusal([item('a', { label: null }), item('b', { message: 'more' })])).toEqual([413, '1.id'])
    expect(store.refusal([{ type: 'control', cancelRequested: true }])).toBeUndefined()
    expect(store.refusal([status('completed')])).toBeUndefined()
  })
})

describe('applyBatch: bytes', () => {
  const jsonBytes = (value: unknown) =>
    value === undefined ? 0 : new TextEncoder().encode(JSON.stringify(value)).length
  const rowBytes = (row: object) =>
    80 +
    Object.values(row).reduce(
      (sum, value) => sum + (typeof value === 'string' ? new TextEncoder().encode(value).length : 0),
      0,
    )

  test('applyBatch counts bytes without drift: of the rows, result, metadata, asks and the initial header', () => {
    fc.assert(
      fc.property(history, fc.boolean(), (events, isTight) => {
        const store = new Store({ metadata: { from: 'creation' } }, isTight ? { documentBytes: 1_000 } : {})
        const { metadata } = store.header
        const fixed = jsonBytes(store.header) - jsonBytes(metadata)
        for (const event of events) {
          if ('commit' in store.try([event])) store.apply([event])
          const { result, metadata, asks } = store.header
          let bytes = fixed + jsonBytes(result) + jsonBytes(metadata) + jsonBytes(asks)
          for (const row of [...store.steps.values(), ...store.items.values()]) bytes += rowBytes(row)
          expect(store.marks.bytes).toBe(bytes)
        }
      }),
    )
  })
})
