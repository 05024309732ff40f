import { describe, expect, test } from 'bun:test'
import { CANCEL_GRACE, dueAt, whatIsDue } from '../../../server/due.ts'
import type { Marks, StoredJob } from '../../../server/engine.ts'
import { type JobHeader, jobStatuses } from '../../../shared/job.ts'
import { isTerminalStatus } from '../../../shared/selectors.ts'
import { CREATED_AT, newHeader } from '../../arbitraries.ts'

const CREATED = Date.parse(CREATED_AT)
/** The moment so many seconds after the creation. */
const at = (seconds: number) => new Date(CREATED + seconds * 1_000).toISOString()

function job(fields: Partial<JobHeader> = {}, cancelRequestedAt?: string): StoredJob {
  const marks: Marks = { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 0, requestDigest: '' }
  return { header: newHeader(fields), marks: cancelRequestedAt ? { ...marks, cancelRequestedAt } : marks }
}

/** When a job is due: seconds after its creation. */
const dueAfter = (stored: StoredJob) => {
  const due = dueAt(stored)
  return due === undefined ? undefined : (due - CREATED) / 1_000
}

describe('dueAt', () => {
  test('dueAt is never for a job without a time-out that nobody asked to stop', () => {
    for (const status of jobStatuses) expect(dueAt(job({ status }))).toBeUndefined()
    expect(dueAt(job({ status: 'running', pauseRequested: true, heartbeatSeconds: 1 }))).toBeUndefined()
  })

  test('dueAt of a time-out counts from the start, and from the creation until then', () => {
    expect(dueAfter(job({ timeoutSeconds: 100 }))).toBe(100)
    expect(dueAfter(job({ status: 'running', startedAt: at(40), timeoutSeconds: 100 }))).toBe(140)
    expect(dueAfter(job({ status: 'paused', startedAt: at(40), timeoutSeconds: 0.5 }))).toBe(40.5)
  })

  test('dueAt after a request to stop is a minute of silence from the request on', () => {
    const asked = { status: 'running', cancelRequested: true } as const
    expect(CANCEL_GRACE).toBe(60_000)
    expect(dueAfter(job({ ...asked, lastEventAt: at(5) }, at(10)))).toBe(70)
    expect(dueAfter(job({ ...asked, lastEventAt: at(30) }, at(10)))).toBe(90)
  })

  test('dueAt is the earlier of the two', () => {
    const asked = { status: 'running', startedAt: at(0), cancelRequested: true } as const
    expect(dueAfter(job({ ...asked, timeoutSeconds: 65 }, at(10)))).toBe(65)
    expect(dueAfter(job({ ...asked, timeoutSeconds: 75 }, at(10)))).toBe(70)
  })

  test('dueAt of a job that ended is when it expires, whatever was asked before', () => {
    for (const status of jobStatuses.filter(isTerminalStatus)) {
      const ended = { status, timeoutSeconds: 1, cancelRequested: true }
      expect(dueAfter(job({ ...ended, expiresAt: at(500) }, at(1)))).toBe(500)
      expect(dueAt(job(ended, at(1)))).toBeUndefined()
    }
  })
})

describe('whatIsDue', () => {
  const dueNow = (stored: StoredJob, seconds: number) => whatIsDue(stored, CREATED + seconds * 1_000)

  test('whatIsDue is nothing a millisecond early, and the failure of a job that ran out of time at the moment itself', () => {
    const late = job({ timeoutSeconds: 100 })
    expect(dueNow(late, 99.999)).toBeUndefined()
    for (const seconds of [100, 5_000])
      expect(dueNow(late, seconds)).toEqual({
        type: 'status',
        status: 'failed',
        message: 'Not done within 100 seconds',
      })
  })

  test('whatIsDue ends a job whose producer was asked to stop and is silent', () => {
    const silent = job({ status: 'running', cancelRequested: true }, at(10))
    expect(dueNow(silent, 69.999)).toBeUndefined()
    expect(dueNow(silent, 70)).toEqual({
      type: 'status',
      status: 'cancelled',
      message: 'Asked to stop, and not heard of since',
    })
  })

  test('whatIsDue of a job that was asked to stop and ran out of time as well is what was asked', () => {
    const both = job({ status: 'running', startedAt: at(0), cancelRequested: true, timeoutSeconds: 5 }, at(10))
    expect(dueNow(both, 20)).toMatchObject({ status: 'failed' })
    expect(dueNow(both, 70)).toMatchObject({ status: 'cancelled' })
  })

  test('whatIsDue removes a job that was kept long enough', () => {
    const ended = job({ status: 'completed', expiresAt: at(500) })
    expect([dueNow(ended, 499.999), dueNow(ended, 500)]).toEqual([undefined, 'remove'])
    expect(dueNow(job({ status: 'completed' }), 10 ** 9)).toBeUndefined()
  })

  test('whatIsDue agrees with dueAt', () => {
    for (const status of jobStatuses) {
      for (const timeoutSeconds of [1, 50, 90]) {
        for (const cancelRequested of [true, false]) {
          const stored = job({ status, timeoutSeconds, cancelRequested, expiresAt: at(30) }, at(10))
          const due = dueAfter(stored) ?? Number.NaN
          expect(dueNow(stored, due - 0.001)).toBeUndefined()
          expect(dueNow(stored, due)).toBeDefined()
        }
      }
    }
  })
})
