import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { applyEvent } from '../../../../shared/document/fold.ts'
import type { Job } from '../../../../shared/document/job.ts'
import { coarseTimeLeft, estimate } from '../../../../shared/time/estimate.ts'
import { newDocument } from '../../../arbitraries.ts'

const START = Date.parse('2026-01-01T00:00:00.000Z')

/** How far a job was at a moment. */
interface Sample {
  /** Milliseconds since the epoch. */
  at: number
  done: number
  total: number | undefined
  /** Whether the job was running from then on. */
  working: boolean
}

/** A sample `seconds` after the start. */
function sample(seconds: number, done: number, fields: Partial<Sample> = {}): Sample {
  return { at: START + seconds * 1_000, done, total: 1_000, working: true, ...fields }
}

const nothing = newDocument({ status: 'running' })

/** The document after what a sample says. */
function report(before: Job, { at, done, total, working }: Sample): Job {
  const next = (job: Job) => ({ version: job.version + 1, at: new Date(at).toISOString() })
  const job = applyEvent(before, { type: 'progress', ...next(before), done, total: total ?? null })
  if (working === (job.status === 'running')) return job
  return applyEvent(job, { type: 'status', ...next(job), status: working ? 'running' : 'paused' })
}

const getRate = (job: Job, now: number) => estimate(job, now).rate
const getTimeLeft = (job: Job, now: number) => estimate(job, now).timeLeft

const estimateOf = (samples: readonly Sample[]): Job => samples.reduce(report, nothing)

/** Samples at a steady pace, one every `every` seconds, up to `until`. */
function steady(perSecond: number, every: number, until: number, total = 1_000): Sample[] {
  const samples: Sample[] = []
  for (let index = 0; index * every <= until; index++) {
    samples.push(sample(index * every, index * every * perSecond, { total }))
  }
  return samples
}

const at = (seconds: number) => START + seconds * 1_000

describe('getRate', () => {
  test('getRate is undefined before anything was seen, and until enough was', () => {
    expect(getRate(nothing, at(0))).toBeUndefined()
    const samples = steady(10, 1, 4)
    for (let seen = 1; seen < samples.length; seen++) {
      expect(getRate(estimateOf(samples.slice(0, seen)), at(seen - 1))).toBeUndefined()
    }
    expect(getRate(estimateOf(samples), at(4))).toBeCloseTo(10)
  })

  test('getRate does not count what was done before the first sample', () => {
    const samples = steady(10, 1, 20).map((one) => ({ ...one, done: one.done + 5_000 }))
    expect(getRate(estimateOf(samples), at(20))).toBeCloseTo(10)
  })

  test('getRate of a steady pace is that pace, whatever the pace and the distance of samples', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }).map((milli) => milli / 1_000),
        fc.integer({ min: 10, max: 600_000 }).map((ms) => ms / 1_000),
        fc.integer({ min: 10, max: 200 }),
        (pace, every, count) => {
          fc.pre(every * count > 5)
          const rate = getRate(estimateOf(steady(pace, every, every * count)), at(every * count))
          expect(Math.abs((rate ?? 0) / pace - 1)).toBeLessThan(0.01)
        },
      ),
    )
  })

  test('getRate of a steady pace seen at irregular moments is that pace', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 30, maxLength: 100 }), (distances) => {
        let seconds = 0
        const samples = distances.map((distance) => {
          seconds += distance / 1_000
          return sample(seconds, seconds * 7)
        })
        fc.pre(seconds > 6)
        const rate = getRate(estimateOf(samples), at(seconds))
        expect(Math.abs((rate ?? 0) / 7 - 1)).toBeLessThan(0.01)
      }),
    )
  })

  test('getRate follows a new pace', () => {
    const samples = steady(10, 1, 60)
    for (let second = 1; second <= 60; second++) samples.push(sample(60 + second, 600 + second * 30))
    expect(getRate(estimateOf(samples), at(120))).toBeCloseTo(27.807)
  })

  test('getRate averages bursts out', () => {
    // 100 at once every 10 seconds, in ten pieces 50 ms apart: 10 a second.
    const samples = [sample(0, 0)]
    for (let burst = 1; burst <= 20; burst++) {
      for (let piece = 1; piece <= 10; piece++) {
        samples.push(sample(burst * 10 + piece * 0.05, (burst - 1) * 100 + piece * 10))
      }
    }
    const rates = samples
      .slice(120)
      .map((one, index) => getRate(estimateOf(samples.slice(0, 121 + index)), one.at) ?? 0)
    expect(Math.min(...rates)).toBeGreaterThan(8)
    expect(Math.max(...rates)).toBeLessThan(12)
  })

  test('getRate stays while the silence is no longer than usual, then falls, then says nothing', () => {
    const estimate = estimateOf(steady(10, 5, 60))
    expect(getRate(estimate, at(65))).toBeCloseTo(10)
    const late = getRate(estimate, at(72)) ?? 0
    const later = getRate(estimate, at(78)) ?? 0
    expect(late).toBeLessThan(10)
    expect(later).toBeLessThan(late)
    expect(later).toBeGreaterThan(0)
    expect(getRate(estimate, at(81))).toBeUndefined()
  })

  test('getRate does not mistake samples without progress for news', () => {
    const samples = steady(10, 1, 30)
    for (let second = 31; second <= 45; second++) samples.push(sample(second, 300))
    expect(getRate(estimateOf(samples), at(45))).toBeUndefined()
  })

  test('getRate counts no time at rest', () => {
    const before = steady(10, 1, 30)
    const paused = sample(30, 300, { working: false })
    const resumed = sample(3_630, 300)
    const after = Array.from({ length: 10 }, (_, index) => sample(3_631 + index, 310 + index * 10))
    expect(getRate(estimateOf([...before, paused]), at(31))).toBeUndefined()
    expect(getRate(estimateOf([...before, paused, resumed]), at(3_630))).toBeCloseTo(10)
    expect(getRate(estimateOf([...before, paused, resumed, ...after]), at(3_640))).toBeCloseTo(10)
  })
})

describe('getTimeLeft', () => {
  test('getTimeLeft of a steady pace is what is left by that pace, and counts down between samples', () => {
    const estimate = estimateOf(steady(10, 2, 40))
    expect(getTimeLeft(estimate, at(40))).toBeCloseTo(60)
    expect(getTimeLeft(estimate, at(41))).toBeCloseTo(59)
  })

  test('getTimeLeft is undefined without a total, and with everything done', () => {
    const samples = steady(10, 1, 30)
    const last = samples.at(-1) as Sample
    expect(getTimeLeft(estimateOf([...samples, { ...last, total: undefined }]), at(30))).toBeUndefined()
    expect(getTimeLeft(estimateOf([...samples, { ...last, total: last.done }]), at(30))).toBeUndefined()
    expect(getRate(estimateOf([...samples, { ...last, total: undefined }]), at(30))).toBeCloseTo(10)
  })

  test('getTimeLeft follows a total that shrinks at once, and one that grew when it has stood for a while', () => {
    const samples = steady(10, 1, 30)
    const last = samples.at(-1) as Sample
    expect(getTimeLeft(estimateOf([...samples, { ...last, total: 800 }]), at(30))).toBeCloseTo(50)
    expect(getTimeLeft(estimateOf([...samples, { ...last, total: 2_000 }]), at(30))).toBeUndefined()
    const after = Array.from({ length: 90 }, (_, index) => sample(31 + index, 310 + index * 10, { total: 2_000 }))
    const left = getTimeLeft(estimateOf([...samples, ...after]), at(120)) ?? 0
    expect(left).toBeGreaterThan(79)
    expect(left).toBeLessThan(90)
  })

  test('getTimeLeft counts slow growth of the total, and is undefined while it grows as fast as the work', () => {
    const growing = (perSecond: number) =>
      steady(10, 1, 60).map((one, index) => ({ ...one, total: 1_000 + index * perSecond }))
    const left = getTimeLeft(estimateOf(growing(2)), at(60)) ?? 0
    expect(left).toBeGreaterThan(60)
    expect(left).toBeLessThan(70)
    expect(getTimeLeft(estimateOf(growing(10)), at(60))).toBeUndefined()
    expect(getRate(estimateOf(growing(10)), at(60))).toBeCloseTo(10)
  })

  test('getTimeLeft is undefined while the pace changes much', () => {
    const samples = steady(1, 1, 30, 100_000)
    for (let second = 1; second <= 3; second++) samples.push(sample(30 + second, 30 + second * 1_000, { total: 1e5 }))
    expect(getTimeLeft(estimateOf(samples), at(33))).toBeUndefined()
    expect(getRate(estimateOf(samples), at(33))).toBeGreaterThan(0)
  })

  test('getTimeLeft begins anew when the job goes back', () => {
    const samples = [...steady(10, 1, 30), sample(31, 5)]
    expect(getTimeLeft(estimateOf(samples), at(31))).toBeUndefined()
    const again = Array.from({ length: 10 }, (_, index) => sample(32 + index, 5 + (index + 1) * 20))
    expect(getTimeLeft(estimateOf([...samples, ...again]), at(41))).toBeCloseTo((1_000 - 205) / 20)
  })

  test('getTimeLeft does not jump when samples jitter', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.integer({ min: -300, max: 300 }),
            fc.integer({ min: 700, max: 1_300 }).map((milli) => milli / 1_000),
          ),
          {
            minLength: 120,
            maxLength: 120,
          },
        ),
        (jitters) => {
          let job = estimateOf([sample(0, 0, { total: 10_000 })])
          let done = 0
          let before: number | undefined
          jitters.forEach(([milliseconds, share], index) => {
            done += 20 * share
            const one = sample(index + 1 + milliseconds / 1_000, done, { total: 10_000 })
            job = report(job, one)
            const left = getTimeLeft(job, one.at)
            if (index > 30) {
              if (left === undefined) throw new Error('A pace that only jitters counts as steady')
              if (before !== undefined) expect(Math.abs(left / before - 1)).toBeLessThan(0.1)
              before = left
            }
          })
        },
      ),
    )
  })

  test('getTimeLeft and getRate are finite and never negative, whatever the samples', () => {
    // Mostly forward, so that there is something to tell; now and then back in time, back in what is done, or at rest.
    const step = fc.record({
      seconds: fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 30_000 }).map((ms) => ms / 1_000) }, fc.constant(-5)),
      more: fc.oneof(
        { weight: 20, arbitrary: fc.nat({ max: 10_000 }) },
        { weight: 1, arbitrary: fc.constantFrom(1e300, 1e307) },
        { weight: 1, arbitrary: fc.constant(-10) },
      ),
      total: fc.oneof(
        { weight: 9, arbitrary: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }) },
        fc.constant(undefined),
      ),
      working: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
    })
    let told = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 6, maxLength: 60 }), fc.nat(2e7), (steps, later) => {
        let job = nothing
        let [seconds, done] = [10, 0]
        for (const { seconds: passed, more, total, working } of steps) {
          seconds += passed
          done = Math.max(0, done + more)
          job = report(job, sample(seconds, done, { total, working }))
          for (const now of [at(seconds), at(seconds) + later]) {
            for (const value of [getRate(job, now), getTimeLeft(job, now)]) {
              if (value === undefined) continue
              told += 1
              if (!Number.isFinite(value) || value < 0) throw new Error(`It told ${value}`)
            }
          }
        }
      }),
      { numRuns: 500 },
    )
    expect(told).toBeGreaterThan(1_000)
  })
})

describe('getTimeLeft at the end of numbers', () => {
  test('getTimeLeft is undefined when it would overflow', () => {
    expect(getTimeLeft(estimateOf(steady(0.1, 1, 30, Number.MAX_VALUE)), at(30))).toBeUndefined()
  })

  test('getRate does not overflow', () => {
    const sudden = [...steady(1, 1, 5), sample(5.5, Number.MAX_VALUE)]
    expect(getRate(estimateOf(sudden), at(5.5))).toBeFinite()
  })
})

describe('coarseTimeLeft', () => {
  test.each([
    [3, 5],
    [12, 10],
    [44, 40],
    [56, 60],
    [100, 120],
    [250, 240],
    [11 * 60, 10 * 60],
    [38 * 60, 40 * 60],
    [70 * 60, 75 * 60],
    [5.4 * 3_600, 5 * 3_600],
    [60 * 3_600, 3 * 86_400],
  ])('coarseTimeLeft of %p seconds is %p', (seconds, told) => {
    expect(coarseTimeLeft(seconds, undefined)).toBe(told)
  })

  test('coarseTimeLeft of nothing is nothing, whatever was shown', () => {
    expect(coarseTimeLeft(undefined, 60)).toBeUndefined()
  })

  test('coarseTimeLeft keeps what is shown until it is well past it', () => {
    expect(coarseTimeLeft(151, 120)).toBe(120)
    expect(coarseTimeLeft(149, 180)).toBe(180)
    expect(coarseTimeLeft(134, 180)).toBe(120)
  })

  test('coarseTimeLeft of a steady countdown changes at most once a step, and never grows', () => {
    let shown: number | undefined
    const told: number[] = []
    for (let seconds = 300; seconds >= 1; seconds--) {
      shown = coarseTimeLeft(seconds, shown)
      if (shown !== undefined && shown !== told.at(-1)) told.push(shown)
    }
    expect(told).toEqual([300, 240, 180, 120, 60, 50, 40, 30, 20, 10, 5])
  })
})
