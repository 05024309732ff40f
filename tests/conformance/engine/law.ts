import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Batch } from '../../../server/jobs/engine.ts'
import type { AppliedEvent, JobEvent } from '../../../shared/document/events.ts'
import { applyEvent } from '../../../shared/document/fold.ts'
import type { Job } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { controlEvent, history, instantOf, newDocument, producerEvent } from '../../arbitraries.ts'
import { created, documentOf, PageReader, refusal, type Subject, taken, unique, WakeLog } from '../fixtures.ts'

/** The fold of all that was taken: what a document has to be at each version. */
class Model {
  /** At each version; at 0 there is none. */
  readonly documents: (Job | undefined)[]

  constructor(job: Job) {
    this.documents = [undefined, job]
  }

  get document(): Job {
    const newest = this.documents.at(-1)
    if (!newest) throw new Error('A model begins with a document')
    return newest
  }

  /** The events of a batch as they are applied: written here once more, so that the engine's own way is tested. */
  apply({ events, at, retentionSeconds }: Batch): void {
    for (const event of events) {
      const applied: AppliedEvent = { ...event, version: this.document.version + 1, at }
      if (retentionSeconds !== undefined && event.type === 'status' && isTerminalStatus(event.status))
        applied.expiresAt = new Date(Date.parse(at) + retentionSeconds * 1_000).toISOString()
      const { status, attempt = 1 } = this.document
      if (applied.type === 'status' && applied.status === 'pending' && status !== 'pending')
        applied.attempt ??= attempt + 1
      this.documents.push(applyEvent(this.document, applied))
    }
  }

  /** With which status a batch is refused; `undefined` if each of its events may come where it comes. */
  refusalOf(events: readonly JobEvent[]): 409 | 422 | undefined {
    let { status, attempt = 1 } = this.document
    for (const event of events) {
      if (isTerminalStatus(status)) return 409
      if (event.type !== 'status') continue
      if (event.attempt !== undefined && event.attempt < attempt) return 422
      const isNext = event.status === 'pending' && status !== 'pending'
      attempt = event.attempt ?? (isNext ? attempt + 1 : attempt)
      status = event.status
    }
    return undefined
  }
}

type Move =
  | { move: 'publish'; count: number }
  | { move: 'page'; watcher: number; maxBytes: number }
  | { move: 'follow'; watcher: number }
  | { move: 'forget'; watcher: number }

const WATCHERS = 3
const watcher = fc.nat({ max: WATCHERS - 1 })
const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof<fc.MaybeWeightedArbitrary<Move>[]>(
    {
      weight: 4,
      arbitrary: fc.record({ move: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 6 }) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ move: fc.constant('page' as const), watcher, maxBytes: fc.integer({ min: 1, max: 900 }) }),
    },
    { weight: 3, arbitrary: fc.record({ move: fc.constant('follow' as const), watcher }) },
    { weight: 1, arbitrary: fc.record({ move: fc.constant('forget' as const), watcher }) },
  ),
  { maxLength: 60, size: 'max' },
)

/** The law: the watcher's document at version v equals the fold of the first v events. */
export function describeLaw(subject: Subject, numRuns = 100): void {
  describe('the law', () => {
    test('a watcher has the fold of the events, wherever it read, followed, was away or began anew', async () => {
      const { engine } = subject
      const property = fc.asyncProperty(history, moves, async (events, moves) => {
        const header = await created(engine, { id: unique('law') })
        const { id } = header
        const model = new Model(newDocument(header))
        const told = new WakeLog()
        const unwatch = await engine.watch({ job: id }, told.wake)
        const readers = Array.from({ length: WATCHERS }, () => new PageReader(engine, id))
        let next = 0
        const publish = async (count: number) => {
          const batch = { events: events.slice(next, next + count), at: instantOf(model.document.version) }
          if (batch.events.length === 0) return
          next += batch.events.length
          expect(taken(await engine.apply(id, batch)).version).toBe(model.document.version + batch.events.length)
          model.apply(batch)
        }
        const compare = ({ isComplete, live }: PageReader) => {
          if (isComplete) expect(live.job).toEqual(model.documents[live.job.version] as Job)
        }
        for (const move of moves) {
          if (move.move === 'publish') {
            await publish(move.count)
            continue
          }
          const reader = readers[move.watcher]
          if (!reader) throw new Error('There are as many readers as watchers')
          if (move.move === 'forget') readers[move.watcher] = new PageReader(engine, id)
          else if (move.move === 'page') {
            await reader.next(move.maxBytes)
            compare(reader)
          } else if (reader.isComplete) {
            // Events that it has are ignored, and so are those past a gap.
            for (const change of told.changes) for (const event of change.events ?? []) reader.live.applyEvent(event)
            reader.cursor = { epoch: header.epoch, version: reader.live.job.version }
            compare(reader)
          }
        }
        while (next < events.length) await publish(7)
        for (const reader of readers) expect(await reader.finish(500)).toEqual(model.document)
        expect(await documentOf(engine, id)).toEqual(model.document)
        unwatch()
      })
      await fc.assert(property, { numRuns })
    }, 180_000)

    test('a document is the fold of the batches that may come where they come, and of no others', async () => {
      const { engine } = subject
      const batches = fc.array(
        fc.record({
          events: fc.array(fc.oneof({ weight: 8, arbitrary: producerEvent }, { weight: 1, arbitrary: controlEvent }), {
            minLength: 1,
            maxLength: 4,
          }),
          retentionSeconds: fc.option(fc.nat({ max: 1_000 }), { nil: undefined }),
        }),
        { maxLength: 12, size: 'max' },
      )
      const property = fc.asyncProperty(batches, async (batches) => {
        const header = await created(engine, { id: unique('fold') })
        const model = new Model(newDocument(header))
        for (const { events, retentionSeconds } of batches) {
          const batch: Batch = { events, at: instantOf(model.document.version) }
          if (retentionSeconds !== undefined) batch.retentionSeconds = retentionSeconds
          const refused = model.refusalOf(events)
          const applied = await engine.apply(header.id, batch)
          expect(refusal(applied)?.status).toBe(refused)
          if (refused === undefined) model.apply(batch)
          expect(await documentOf(engine, header.id)).toEqual(model.document)
        }
      })
      await fc.assert(property, { numRuns })
    }, 180_000)
  })
}
