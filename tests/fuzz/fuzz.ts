import fc from 'fast-check'
import { createOpenApi } from '../../server/http/openapi/openapi.ts'
import type { Engine } from '../../server/jobs/engine.ts'
import { type Description, plansFor } from './requests/plans.ts'
import { World, worldLimits } from './world/world.ts'

export interface FuzzOptions {
  engine: Engine
  seed: number
  /** About how many requests are made: a few more. */
  requests: number
  /** Told now and then how many were made. */
  onProgress?: (made: number) => void
}

/** What there is to ask for. */
export const description = createOpenApi(worldLimits) as unknown as Description

/** Requests of one session at most: what follows each other is often about the same. */
const SESSION = 16
/** Sessions from one seed, before the next seed is taken. */
const SESSIONS = 500

/**
 * Asks a server for all that there is, nearly right and wrong, and checks each answer.
 *
 * @returns how many requests there were, by what they were for and the status that they got: `GET /api/jobs 200`
 * @throws Error with the smallest session that fails, and the seed
 */
export async function fuzz({ engine, seed, requests, onProgress }: FuzzOptions): Promise<Map<string, number>> {
  const world = new World(engine, seed)
  await world.begin()
  const plans = plansFor(description)
  const sessions = fc.array(plans, { minLength: 1, maxLength: SESSION, size: 'max' })
  const made = () => [...world.counts.values()].reduce((sum, count) => sum + count, 0)
  for (let round = 0; made() < requests; round += 1) {
    const left = Math.ceil((requests - made()) / (SESSION / 2))
    const property = fc.asyncProperty(sessions, async (session) => {
      for (const plan of session) await world.ask(plan)
      await world.endStreams()
      await world.refill()
    })
    const outcome = await fc.check(property, { seed: seed + round, numRuns: Math.min(left, SESSIONS) })
    if (outcome.failed) {
      const error = outcome.errorInstance
      const session = JSON.stringify(outcome.counterexample?.[0])
      throw new Error(
        `Seed ${seed}, round ${round}: ${error instanceof Error ? error.message : error}\n\nAfter: ${session.slice(0, 3_000)}`,
      )
    }
    onProgress?.(made())
  }
  await world.end()
  await world.app.close()
  return world.counts
}
