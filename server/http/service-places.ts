import { problems, refuse } from '../errors.ts'

/** Services that run at once for everybody: each holds what was uploaded to it. */
const PLACES = 16

/** Who runs how many services: each holds an upload in memory, from before it is read until its job has ended, paused or not. */
export class ServicePlaces {
  readonly #perPrincipal: number
  readonly #taken = new Map<string, number>()
  #all = 0

  constructor(perPrincipal: number) {
    this.#perPrincipal = perPrincipal
  }

  /**
   * Takes a place for a principal.
   *
   * @returns what gives it back
   * @throws ProblemError 429 when the principal has as many as it may; 503 when all have
   */
  take(sub: string): () => void {
    const own = this.#taken.get(sub) ?? 0
    if (own >= this.#perPrincipal) {
      throw refuse(
        problems.tooMany(
          'services',
          `You already run ${own} services, the most at once. Cancel one, or wait. Paused ones count.`,
        ),
      )
    }
    if (this.#all >= PLACES) throw refuse(problems.unavailable('All places for services are taken. Try again later.'))
    this.#taken.set(sub, own + 1)
    this.#all += 1
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      this.#all -= 1
      const rest = (this.#taken.get(sub) ?? 1) - 1
      if (rest > 0) this.#taken.set(sub, rest)
      else this.#taken.delete(sub)
    }
  }
}
