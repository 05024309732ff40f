import { describe, expect, test } from 'bun:test'
import { applyEvent } from '../../../../shared/document/fold.ts'
import type { Job } from '../../../../shared/document/job.ts'
import { estimate } from '../../../../shared/time/estimate.ts'
import { newDocument } from '../../../arbitraries.ts'
import traces from './traces.json' with { type: 'json' }

const START = Date.parse('2026-01-01T00:00:00.000Z')
/** The largest change of the time left from one update to the next that the passing of time does not explain. */
const JITTER = 0.1

/** What is shown at each report of a tool, in seconds from its start. */
function shown(total: number, samples: readonly (readonly number[])[]) {
  let job: Job = newDocument({ status: 'running' })
  return samples.map(([ms = 0, done = 0]) => {
    const at = new Date(START + ms).toISOString()
    job = applyEvent(job, { type: 'progress', version: job.version + 1, at, done, total })
    return { seconds: ms / 1_000, left: estimate(job, START + ms).timeLeft, bytes: JSON.stringify(job.pace).length }
  })
}

describe('estimate of recorded tools', () => {
  test.each(Object.values(traces).map(({ command, total, samples }) => [command, total, samples] as const))(
    'estimate of %s tells the time left from the fifth second on, and it does not jump',
    (_, total, samples) => {
      const all = shown(total, samples)
      const end = all.at(-1)?.seconds ?? 0
      const running = all.filter(({ seconds }) => seconds > 6 && seconds < end)
      expect(running.length).toBeGreaterThan(25)
      expect(running.every(({ left }) => left !== undefined)).toBe(true)
      const jitters = running.slice(1).flatMap(({ seconds, left = 0 }, index) => {
        const { seconds: then = 0, left: before = 0 } = running[index] ?? {}
        // Less than ten seconds are shown in steps of five.
        return before < 10 ? [] : [Math.abs(left - (before - (seconds - then))) / before]
      })
      expect(jitters.length).toBeGreaterThan(15)
      expect(Math.max(...jitters)).toBeLessThan(JITTER)
      const middle = running[Math.floor(running.length / 2)]
      const error = (middle?.left ?? 0) / (end - (middle?.seconds ?? 0)) - 1
      expect(Math.abs(error)).toBeLessThan(0.25)
      expect(Math.max(...all.map(({ bytes }) => bytes))).toBeLessThan(220)
    },
  )
})
