import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { afterEvents, type QueuedJob, reconcile } from '../../../../client/queues/reconcile.ts'
import type { Job } from '../../../../shared/document/job.ts'
import { foldAll, liveHistory, newDocument, placed, progressEvent } from '../../../arbitraries.ts'

const message = fc.option(fc.constantFrom('Waits', 'Broken'), { nil: undefined })

const queuedJob: fc.Arbitrary<QueuedJob> = fc.record({
  state: fc.constantFrom('pending', 'running', 'completed', 'failed', 'cancelled'),
  attempt: fc.integer({ min: 1, max: 30 }),
  failureOf: fc.constant((attempt: number) => `Failed ${attempt}`),
  message,
  progress: fc.option(
    progressEvent.map((event) => {
      const { type: _, ...fields } = event as { type: 'progress'; done: number }
      return fields
    }),
    { nil: undefined },
  ),
  result: fc.option(fc.constant({ rows: 3 }), { nil: undefined }),
})

/** The document after the events that bring it to the state of a job. */
function bring(document: Job, job: QueuedJob): Job {
  const events = reconcile(job, document).flatMap((batch) => batch.events)
  return foldAll(document, placed(events, document.version + 1))
}

describe('reconcile', () => {
  test('reconcile brings any live document to the state of any job, and then has nothing to send', () => {
    fc.assert(
      fc.property(liveHistory, queuedJob, (history, job) => {
        const before = foldAll(newDocument(), placed(history))
        const after = bring(before, job)
        const told = before.attempt ?? 1
        expect(after.status).toBe(job.state)
        expect(after.attempt ?? 1).toBe(Math.max(told, job.attempt))
        if (job.state !== 'pending' && job.progress) expect(after.progress).toMatchObject(shown(job.progress))
        expect(reconcile(job, after)).toEqual([])
        // A try that failed is told once; of very many the last ones are.
        expect(after.errorCount - before.errorCount).toBe(Math.min(20, Math.max(0, job.attempt - told)))
      }),
    )
  })

  test('reconcile comes to the same document from whichever changes it has seen', () => {
    fc.assert(
      fc.property(fc.array(queuedJob, { minLength: 1, maxLength: 6 }), fc.array(fc.boolean()), (jobs, seen) => {
        const last = jobs.at(-1)
        const isEnd = ({ state }: QueuedJob) => state !== 'pending' && state !== 'running'
        // An end is the last state, tries only increase, and workers report the same fields.
        const history = jobs
          .slice(0, -1)
          .filter((job) => !isEnd(job))
          .map((job) => ({ ...job, attempt: Math.min(job.attempt, last?.attempt ?? 1), progress: undefined }))
          .sort((one, other) => one.attempt - other.attempt)
        const all = [...history, last].filter((job) => job !== undefined)
        const some = all.filter((job, at) => job === last || seen[at])
        const [one, other] = [all, some].map((list) => list.reduce(bring, newDocument()))
        const of = ({ status, attempt = 1, message, progress, result }: Job) => [
          status,
          attempt,
          message,
          progress,
          result,
        ]
        if (one && other && last?.state !== 'pending') expect(of(one)).toEqual(of(other))
        expect([one?.status, one?.attempt ?? 1]).toEqual([other?.status, other?.attempt ?? 1])
      }),
    )
  })

  test('reconcile sends nothing to a document that has ended', () => {
    fc.assert(
      fc.property(queuedJob, fc.constantFrom('completed', 'failed', 'cancelled'), (job, status) => {
        expect(reconcile(job, newDocument({ status }))).toEqual([])
      }),
    )
  })

  test('reconcile gives events that add rows the same key, whoever sends them, and a batch for each try', () => {
    const job: QueuedJob = { state: 'running', attempt: 3, failureOf: (attempt) => `Failed ${attempt}` }
    expect(reconcile(job, newDocument({ status: 'running', startedAt: '2026-01-01T00:00:00.000Z' }))).toEqual([
      {
        key: 'try-2',
        events: [
          { type: 'error', code: 'try-1', message: 'Failed 1' },
          { type: 'status', status: 'pending', attempt: 2, message: 'To be tried again: Failed 1' },
        ],
      },
      {
        key: 'try-3',
        events: [
          { type: 'error', code: 'try-2', message: 'Failed 2' },
          { type: 'status', status: 'pending', attempt: 3, message: 'To be tried again: Failed 2' },
        ],
      },
      { events: [{ type: 'status', status: 'running', message: null }] },
    ])
  })
})

describe('afterEvents', () => {
  test('afterEvents knows of a document what the fold makes of it', () => {
    fc.assert(
      fc.property(liveHistory, queuedJob, (history, job) => {
        const before = foldAll(newDocument(), placed(history))
        const events = reconcile(job, before).flatMap((batch) => batch.events)
        const { status, message, progress, attempt, startedAt } = foldAll(before, placed(events, before.version + 1))
        const known = afterEvents(before, events)
        expect(known).toMatchObject({ status, progress })
        expect([known.message, known.attempt, known.startedAt !== undefined]).toEqual([
          message,
          attempt,
          startedAt !== undefined,
        ])
      }),
    )
  })
})

/** Fields that are not cleared. */
function shown(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined))
}
