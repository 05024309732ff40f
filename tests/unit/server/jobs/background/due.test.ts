import { describe, expect, test } from 'bun:test'
import {
  CANCEL_GRACE,
  dueBefore,
  dueEvents,
  dueOf,
  endsAt,
  isExpired,
  MISSED_HEARTBEATS,
} from '../../../../../server/jobs/background/due.ts'
import type { DueTerms, Marks, StoredJob } from '../../../../../server/jobs/engine.ts'
import { type JobHeader, jobStatuses } from '../../../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../../../shared/document/selectors.ts'
import { CREATED_AT, newHeader } from '../../../../arbitraries.ts'

const CREATED = Date.parse(CREATED_AT)
/** The moment so many seconds after the creation. */
const ms = (seconds: number) => CREATED + seconds * 1_000
const at = (seconds: number) => new Date(ms(seconds)).toISOString()

function job(fields: Partial<JobHeader> = {}, cancelRequestedAt?: string): StoredJob {
  const marks: Marks = { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 0, requestDigest: '' }
  return { header: newHeader(fields), marks: cancelRequestedAt ? { ...marks, cancelRequestedAt } : marks }
}

/** When a job is due: seconds after its creation, and why. */
const dueAfter = (stored: StoredJob) => {
  const due = dueOf(stored)
  return due && [due.list, (due.at - CREATED) / 1_000]
}

/** The last of the events that end a due job. */
const dueEvent = (stored: StoredJob, when: DueTerms) => dueEvents(stored, when).at(-1)

const ended = jobStatuses.filter(isTerminalStatus)
/** So many seconds after the creation, on a server that has been there before. */
const terms = (seconds: number, more: Partial<DueTerms> = {}): DueTerms => ({
  now: ms(seconds),
  since: ms(-1_000),
  steps: [],
  retentionSeconds: 100,
  ...more,
})

describe('dueOf', () => {
  test('dueOf is undefined for a job without a time-out or cancel request that is not running with heartbeats', () => {
    for (const status of ['pending', 'paused'] as const)
      expect(dueOf(job({ status, pauseRequested: true, heartbeatSeconds: 1 }))).toBeUndefined()
    expect(dueOf(job({ status: 'running' }))).toBeUndefined()
  })

  test('dueOf missed heartbeats is in whole minutes, five heartbeats after the last event, and a minute after the stall', () => {
    expect(MISSED_HEARTBEATS).toBe(5)
    const silent = (heartbeatSeconds: number, seconds: number) =>
      dueAfter(job({ status: 'running', heartbeatSeconds, lastEventAt: at(seconds) }))
    expect(silent(60, 0)).toEqual(['end', 300])
    for (const seconds of [0.001, 30, 60]) expect(silent(60, seconds)).toEqual(['end', 360])
    expect(silent(0.001, 10)).toEqual(['end', 120])
    expect(silent(20, 30)).toEqual(['end', 180])
    expect(silent(3_600, 0)).toEqual(['end', 18_000])
    expect(silent(1e300, 0)?.[0]).toBe('end')
  })

  test('dueOf a time-out counts from the start, or from the creation of a pending job', () => {
    expect(dueAfter(job({ timeoutSeconds: 100 }))).toEqual(['end', 100])
    expect(dueAfter(job({ status: 'running', startedAt: at(40), timeoutSeconds: 100 }))).toEqual(['end', 140])
    expect(dueAfter(job({ status: 'paused', startedAt: at(40), timeoutSeconds: 0.5 }))).toEqual(['end', 40.5])
  })

  test('dueOf a cancel request is a minute of silence after the request', () => {
    const asked = { status: 'running', cancelRequested: true } as const
    expect(CANCEL_GRACE).toBe(60_000)
    expect(dueAfter(job({ ...asked, lastEventAt: at(5) }, at(10)))).toEqual(['end', 70])
    expect(dueAfter(job({ ...asked, lastEventAt: at(30) }, at(10)))).toEqual(['end', 90])
  })

  test('dueOf is the earlier of the two', () => {
    const asked = { status: 'running', startedAt: at(0), cancelRequested: true } as const
    expect(dueAfter(job({ ...asked, timeoutSeconds: 65 }, at(10)))).toEqual(['end', 65])
    expect(dueAfter(job({ ...asked, timeoutSeconds: 75 }, at(10)))).toEqual(['end', 70])
  })

  test('dueOf an ended job is its expiry, or its end if it has none', () => {
    for (const status of ended) {
      const fields = { status, timeoutSeconds: 1, cancelRequested: true, endedAt: at(400) }
      expect(dueAfter(job({ ...fields, expiresAt: at(500) }, at(1)))).toEqual(['expire', 500])
      expect(dueAfter(job(fields, at(1)))).toEqual(['ended', 400])
    }
  })

  test('dueBefore is now, and for jobs without an expiry the retention before now', () => {
    expect(dueBefore('end', terms(500))).toBe(ms(500))
    expect(dueBefore('expire', terms(500))).toBe(ms(500))
    expect(dueBefore('ended', terms(500))).toBe(ms(400))
  })
})

describe('dueEvent', () => {
  const failed = { type: 'status', status: 'failed', message: 'Not done within 100 seconds' } as const
  const cancelled = {
    type: 'status',
    status: 'cancelled',
    message: 'Cancelled by the server: the producer did not answer',
  } as const

  test('dueEvent is undefined a millisecond early, and fails a job exactly at its time-out', () => {
    const late = job({ timeoutSeconds: 100 })
    expect(dueEvent(late, terms(99.999))).toBeUndefined()
    for (const seconds of [100, 5_000]) expect(dueEvent(late, terms(seconds))).toEqual(failed)
  })

  test('dueEvent cancels a job whose producer is silent after a cancel request', () => {
    const silent = job({ status: 'running', cancelRequested: true }, at(10))
    expect(dueEvent(silent, terms(69.999))).toBeUndefined()
    expect(dueEvent(silent, terms(70))).toEqual(cancelled)
  })

  test('dueEvent cancels a job that has a cancel request and timed out as well', () => {
    const both = job({ status: 'running', startedAt: at(0), cancelRequested: true, timeoutSeconds: 5 }, at(10))
    expect(dueEvent(both, terms(20))).toMatchObject({ status: 'failed' })
    expect(dueEvent(both, terms(70))).toEqual(cancelled)
  })

  test('dueEvent is undefined for an ended job', () => {
    for (const status of ended)
      expect(dueEvent(job({ status, cancelRequested: true, timeoutSeconds: 1 }, at(0)), terms(1e6))).toBeUndefined()
  })

  test('dueEvent agrees with dueOf and endsAt on a server without downtime', () => {
    for (const status of ['pending', 'running', 'paused'] as const) {
      for (const timeoutSeconds of [1, 50, 90, 1_000]) {
        for (const cancelRequested of [true, false]) {
          const stored = job({ status, timeoutSeconds, cancelRequested, heartbeatSeconds: 30 }, at(10))
          const due = Number(dueAfter(stored)?.[1])
          expect(dueEvent(stored, terms(due - 0.001))).toBeUndefined()
          expect(dueEvent(stored, terms(due))).toBeDefined()
          expect(endsAt(stored, ms(-1_000))).toBe(ms(due))
        }
      }
    }
  })

  test('dueEvents fail a job whose heartbeats are missed, and say in an error what happened and what to do', () => {
    const silent = job({ status: 'running', heartbeatSeconds: 60, lastEventAt: at(10) })
    expect(dueEvents(silent, terms(359.999))).toEqual([])
    expect(dueEvents(silent, terms(360))).toEqual([
      {
        type: 'error',
        code: 'producer-silent',
        message:
          'The producer has been silent for 5 minutes. Its heartbeatSeconds are 60: it must report at least that often. ' +
          'Its process was killed, or has lost its network: look at its logs, and start the job again.',
      },
      { type: 'status', status: 'failed', message: 'Failed by the server: the producer went silent' },
    ])
    // It was asked to stop as well: the cancellation comes first.
    const asked = job({ status: 'running', heartbeatSeconds: 60, cancelRequested: true, lastEventAt: at(10) }, at(20))
    expect(dueEvents(asked, terms(360))).toEqual([cancelled])
  })

  test("dueEvent counts missed heartbeats from the server's start, or from when its store last failed", () => {
    const silent = job({ status: 'running', heartbeatSeconds: 60, lastEventAt: at(10) })
    for (const outage of [{ since: ms(600) }, { heardSince: ms(600) }]) {
      expect(dueEvent(silent, terms(899.999, outage))).toBeUndefined()
      expect(dueEvent(silent, terms(900, outage))).toMatchObject({ status: 'failed' })
    }
    expect(endsAt(silent, ms(600))).toBe(ms(900))
    // What the server has heard since counts.
    const heard = job({ status: 'running', heartbeatSeconds: 60, lastEventAt: at(700) })
    expect(dueEvent(heard, terms(1_019.999, { since: ms(600) }))).toBeUndefined()
    expect(dueEvent(heard, terms(1_020, { since: ms(600) }))).toMatchObject({ status: 'failed' })
  })

  test('dueEvent counts silence from the start of the server at the earliest', () => {
    const silent = job({ status: 'running', cancelRequested: true }, at(10))
    const since = ms(500)
    expect(dueEvent(silent, terms(559.999, { since }))).toBeUndefined()
    expect(dueEvent(silent, terms(560, { since }))).toEqual(cancelled)
  })

  test("dueEvent gives a minute from the server's start to a job that began before, and none to others", () => {
    const since = ms(500)
    for (const timeoutSeconds of [100, 520])
      expect(dueEvent(job({ timeoutSeconds }), terms(559.999, { since }))).toBeUndefined()
    expect(dueEvent(job({ timeoutSeconds: 100 }), terms(560, { since }))).toEqual(failed)
    const later = job({ status: 'running', startedAt: at(500), timeoutSeconds: 5 })
    expect(dueEvent(later, terms(505, { since }))).toMatchObject({ status: 'failed' })
  })

  test('dueEvent ends no job early after a clock was set forward', () => {
    const hours = 7_200
    const since = ms(10 + hours)
    const late = job({ status: 'running', startedAt: at(0), timeoutSeconds: 100 })
    const after = (seconds: number) => terms(seconds + hours, { since, steps: [{ at: since, by: hours * 1_000 }] })
    expect(dueEvent(late, after(99.999))).toBeUndefined()
    expect(dueEvent(late, after(100))).toEqual(failed)
  })
})

describe('a clock that was set and corrected', () => {
  test('what is due is due again, and only steps after a moment count for it', () => {
    const year = 31_536_000
    const steps = [
      { at: ms(10 + year), by: year * 1_000 },
      { at: ms(700), by: -year * 1_000 },
    ]
    const since = ms(700)
    expect(dueEvent(job({ timeoutSeconds: 100 }), terms(760, { since, steps }))).toMatchObject({ status: 'failed' })
    const endedBefore = job({ status: 'failed', endedAt: at(5) })
    expect(isExpired(endedBefore, terms(800, { since, steps }))).toBe(true)
    // A step back does not make up for a later sleep of the machine.
    const slept = { since: ms(900), steps: [...steps, { at: ms(900), by: 80_000 }] }
    const later = job({ status: 'failed', endedAt: at(750) })
    expect(isExpired(later, terms(929.999, slept))).toBe(false)
    expect(isExpired(later, terms(930, slept))).toBe(true)
    // One that ended between two sleeps of the machine has slept through the second alone.
    const sleeps = [100, 300].map((seconds) => ({ at: ms(seconds), by: 80_000 }))
    const between = job({ status: 'failed', endedAt: at(150) })
    expect(isExpired(between, terms(329, { since: ms(300), steps: sleeps }))).toBe(false)
    expect(isExpired(between, terms(330, { since: ms(300), steps: sleeps }))).toBe(true)
  })
})

describe('a clock that was slow at the start', () => {
  const year = 31_536_000
  const since = ms(1_000)
  const steps = [{ at: since + 0.6, by: year * 1_000 }]

  test('what an earlier run wrote with the right clock is due on time, and what this run wrote is not due early', () => {
    const late = job({ timeoutSeconds: 2_000 })
    expect(dueEvent(late, terms(1_999.999, { since, steps }))).toBeUndefined()
    expect(dueEvent(late, terms(2_000, { since, steps }))).toMatchObject({ status: 'failed' })
    const kept = job({ status: 'failed', endedAt: at(5), expiresAt: at(2_000) })
    expect(isExpired(kept, terms(1_999.999, { since, steps }))).toBe(false)
    expect(isExpired(kept, terms(2_000, { since, steps }))).toBe(true)
    // Ten seconds before the clock was set, and just then: rounded up to a millisecond.
    for (const [began, ends] of [
      [990, 1_090],
      [1_000.001, 1_100.001],
    ] as const) {
      const slow = job({ status: 'running', startedAt: at(began - year), timeoutSeconds: 100 })
      expect(dueEvent(slow, terms(ends - 0.001, { since, steps }))).toBeUndefined()
      expect(dueEvent(slow, terms(ends, { since, steps }))).toMatchObject({ status: 'failed' })
    }
  })
})

describe('isExpired', () => {
  test("isExpired uses the job's expiresAt, or the retention set now", () => {
    for (const status of ended) {
      const written = job({ status, endedAt: at(5), expiresAt: at(500) })
      expect([isExpired(written, terms(499.999)), isExpired(written, terms(500))]).toEqual([false, true])
      const unwritten = job({ status, endedAt: at(5) })
      expect([isExpired(unwritten, terms(104.999)), isExpired(unwritten, terms(105))]).toEqual([false, true])
      expect(isExpired(unwritten, terms(105, { retentionSeconds: 1e6 }))).toBe(false)
    }
  })

  test('isExpired is false for a job that has not ended', () => {
    for (const status of ['pending', 'running', 'paused'] as const)
      expect(isExpired(job({ status, timeoutSeconds: 1, expiresAt: at(1) }), terms(1e9))).toBe(false)
  })

  test('isExpired is true for no job early after a clock was set forward', () => {
    const hours = 7_200
    const since = ms(10 + hours)
    const after = { since, steps: [{ at: since, by: hours * 1_000 }] }
    for (const fields of [{ expiresAt: at(105) }, {}]) {
      const stored = job({ status: 'failed', endedAt: at(5), ...fields })
      expect(isExpired(stored, terms(104.999 + hours, after))).toBe(false)
      expect(isExpired(stored, terms(105 + hours, after))).toBe(true)
    }
  })
})
