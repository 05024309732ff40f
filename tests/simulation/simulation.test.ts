import { describe, test } from 'bun:test'
import { simulate } from './simulation.ts'

/**
 * `SIMULATION_SEED=123 bun test tests/simulation` repeats one run; `SIMULATION_RUNS=10000` makes more of them.
 */
const { SIMULATION_SEED, SIMULATION_RUNS = '100' } = process.env
const first = SIMULATION_SEED === undefined ? 1 : Number(SIMULATION_SEED)
const runs = SIMULATION_SEED === undefined ? Number(SIMULATION_RUNS) : 1

describe('the hub', () => {
  for (const streams of ['of one job', 'of several jobs'] as const) {
    test(`the hub holds the law of the document on streams ${streams}, whatever fails on the way`, async () => {
      for (let seed = first; seed < first + runs; seed++) {
        try {
          await simulate(seed, streams)
        } catch (error) {
          throw new Error(`Seed ${seed} broke a law. Repeat it with SIMULATION_SEED=${seed}.`, { cause: error })
        }
      }
    }, 600_000)
  }
})
