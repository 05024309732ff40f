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
          `You run ${own} services, and no more at once. End one, also of those that are paused, or wait.`,
        ),
      )
    }
    if (this.#all >= PLACES) throw refuse(problems.unavailable('As many services run here as can at once. Try again.'))
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
