import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { JobEvent } from '../../../../shared/document/events.ts'
import { applyEvent } from '../../../../shared/document/fold.ts'
import { type Job, jobSchema } from '../../../../shared/document/job.ts'
import { CREATED_AT, newDocument } from '../../../arbitraries.ts'

const START = Date.parse(CREATED_AT)

/** The document after events, each so many milliseconds after the creation. */
function after(events: readonly [ms: number, event: JobEvent][], job: Job = newDocument()): Job {
  return events.reduce(
    (before, [ms, event]) =>
      applyEvent(before, { ...event, version: before.version + 1, at: new Date(START + ms).toISOString() }),
    job,
  )
}

const status = (name: 'running' | 'paused' | 'pending' | 'completed', attempt?: number): JobEvent => ({
  type: 'status',
  status: name,
  ...(attempt && { attempt }),
})
const progress = (done: number, total?: number): JobEvent => ({ type: 'progress', done, ...(total && { total }) })

/** A running job that does one unit each second, up to `seconds`. */
const steady = (seconds: number) =>
  after([
    [0, status('running')],
    ...Array.from(
      { length: seconds + 1 },
      (_, second) => [second * 1_000, progress(second, 100)] as [number, JobEvent],
    ),
  ])

describe('the pace of a job', () => {
  test('pace begins with the first amount at work, and not before', () => {
    const amount: JobEvent = progress(500, 1_000)
    expect(after([[0, amount]]).pace).toBeUndefined()
    expect(after([[0, status('running')]]).pace).toBeUndefined()
    expect(
      after([
        [0, status('running')],
        [2_000, { type: 'log', message: 'Starts' }],
        [3_000, amount],
      ]).pace,
    ).toEqual({ since: START + 3_000, samples: [[0, 500]] })
  })

  test('pace has a sample for each sign of progress, the newest replaced until it is half a second from the one before', () => {
    const moments = [0, 100, 300, 600, 700, 1_200, 1_250]
    const events = moments.map((ms, index) => [ms, progress(index)] as [number, JobEvent])
    expect(after([[0, status('running')], ...events]).pace).toEqual({
      since: START,
      samples: [
        [0, 0],
        [600, 3],
        [1_200, 5],
        [1_250, 6],
      ],
    })
  })

  test('pace of long work has 8 samples, the older the farther apart, and reaches minutes back', () => {
    const { samples, since } = steady(3_600).pace ?? { samples: [], since: 0 }
    expect(samples).toHaveLength(8)
    expect(samples.map(([, done = 0]) => done * 1_000)).toEqual(samples.map(([ms = 0]) => ms))
    expect(since).toBe(START)
    const ages = samples.map(([ms = 0]) => 3_600_000 - ms)
    expect(ages.at(-1)).toBe(0)
    expect(ages[0]).toBeGreaterThan(240_000)
    expect(ages[0]).toBeLessThan(1_000_000)
    expect(ages[1]).toBeLessThan(400_000)
  })

  test('pace counts items where the job reports no amount, and begins anew when it does', () => {
    const item = (id: string, name: 'pending' | 'succeeded'): JobEvent => ({ type: 'item', id, status: name })
    const counted = after([
      [0, status('running')],
      [0, item('a', 'pending')],
      [0, item('b', 'pending')],
      [2_000, item('a', 'succeeded')],
    ])
    expect(counted.pace).toEqual({
      since: START,
      samples: [
        [0, 0, 1],
        [2_000, 1, 1],
      ],
    })
    expect(after([[3_000, { type: 'progress', done: 70, total: 100, unit: 'rows' }]], counted).pace).toEqual({
      since: START + 3_000,
      samples: [[0, 70]],
    })
  })

  test('pace counts no time at rest: a pause, a wait for an answer', () => {
    const rested: [JobEvent, JobEvent][] = [
      [status('paused'), status('running')],
      [
        { type: 'ask', id: 'go', message: 'Go on?' },
        { type: 'answer', ask: 'go', value: true, by: 'ada' },
      ],
    ]
    for (const [rest, work] of rested) {
      const resumed = after(
        [
          [5_500, rest],
          [60_000, progress(6)],
          [105_500, work],
          [106_500, progress(7)],
        ],
        steady(5),
      )
      expect(resumed.pace).toEqual({
        since: START + 100_000,
        samples: [
          [0, 0],
          [1_000, 1],
          [2_000, 2],
          [3_000, 3],
          [4_000, 4],
          [5_000, 5],
          [5_500, 6],
          [6_500, 7],
        ],
      })
    }
  })

  test('pace begins anew with another try, with another unit, and when the amount goes back', () => {
    expect(after([[7_000, status('pending', 2)]], steady(6)).pace).toBeUndefined()
    const again = after(
      [
        [7_000, status('running', 2)],
        [8_000, progress(0)],
      ],
      steady(6),
    )
    expect(again.pace).toEqual({ since: START + 8_000, samples: [[0, 0]] })
    expect(after([[7_000, { type: 'progress', done: 7_000, unit: 'bytes' }]], steady(6)).pace?.samples).toEqual([
      [0, 7_000],
    ])
    expect(after([[7_000, progress(3)]], steady(6)).pace).toEqual({ since: START + 7_000, samples: [[0, 3]] })
  })

  test('pace tells how the total has grown', () => {
    const grown = after(
      [
        [2_500, progress(2, 150)],
        [3_000, progress(3, 200)],
      ],
      steady(2),
    )
    expect(grown.pace?.samples.map(([, , growth = 0]) => growth)).toEqual([0, 0, 0, 50, 100])
  })

  test('pace is gone when the job has ended', () => {
    expect(after([[7_000, status('completed')]], steady(6)).pace).toBeUndefined()
  })

  test('pace is bounded, in order, valid and the same after a trip over the wire, whatever the events', () => {
    const event = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          type: fc.constant('progress' as const),
          done: fc.nat(1e6),
          total: fc.option(fc.nat(1e6)),
        }),
      },
      { weight: 4, arbitrary: fc.nat(1e9).map((done) => progress(1e6 + done)) },
      fc.constantFrom(status('running'), status('running'), status('paused'), status('pending')),
      fc.constant<JobEvent>({ type: 'item', id: 'a', status: 'succeeded' }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -50, max: 90_000 }), event), { maxLength: 60 }), (steps) => {
        let moment = 0
        let job = after([[0, status('running')]])
        for (const [ms, said] of steps) {
          moment = Math.max(0, moment + ms)
          const sent: Job = JSON.parse(JSON.stringify(job))
          const [here, there] = [after([[moment, said]], job), after([[moment, said]], sent)]
          expect(there).toEqual(here)
          job = here
          const { samples = [] } = job.pace ?? {}
          expect(samples.length).toBeLessThanOrEqual(8)
          for (const column of [0, 1]) {
            const values = samples.map((sample) => sample[column] ?? 0)
            expect(values).toEqual(values.toSorted((a, b) => a - b))
          }
          expect(jobSchema.parse(job)).toEqual(job)
        }
      }),
      { numRuns: 60 },
    )
  })
})
