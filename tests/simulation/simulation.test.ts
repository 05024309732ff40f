import { describe, expect, test } from 'bun:test'
import { simulate } from './simulation.ts'

/**
 * `SIMULATION_SEED=123 bun test tests/simulation` repeats one run; `SIMULATION_RUNS=10000` makes more of them.
 */
const { SIMULATION_SEED, SIMULATION_RUNS = '100' } = process.env
const first = SIMULATION_SEED === undefined ? 1 : Number(SIMULATION_SEED)
const runs = SIMULATION_SEED === undefined ? Number(SIMULATION_RUNS) : 1

/** What watchers must have met in a good number of runs, on each kind of stream. */
const kinds = {
  'of one job': [
    'snapshot',
    'snapshot with more',
    'patch',
    'patch with more',
    'progress',
    'status',
    'item',
    'step',
    'job-error',
    'log',
    'control',
    'ping',
    'end completed',
    'end failed',
    'end cancelled',
    'end deleted',
  ],
  'of several jobs': [
    'snapshot',
    'snapshot with more',
    'patch',
    'patch with more',
    'item',
    'ping',
    'end completed',
    'end deleted',
  ],
  'of an owner': ['snapshot', 'patch', 'ping', 'end completed', 'end deleted', 'end expired'],
} as const

describe('the hub', () => {
  for (const streams of Object.keys(kinds) as (keyof typeof kinds)[]) {
    test(`the hub holds the law of the document on streams ${streams}, whatever fails on the way`, async () => {
      const met = new Set<string>()
      for (let seed = first; seed < first + runs; seed++) {
        try {
          for (const kind of (await simulate(seed, streams)).keys()) met.add(kind)
        } catch (error) {
          throw new Error(`Seed ${seed} broke a law. Repeat it with SIMULATION_SEED=${seed}.`, { cause: error })
        }
      }
      if (runs >= 50) expect(kinds[streams].filter((kind) => !met.has(kind))).toEqual([])
    }, 600_000)
  }
})
