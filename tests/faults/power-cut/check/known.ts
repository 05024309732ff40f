import type { Said } from '../workload/said.ts'
import { compareEpochs } from '../workload/script.ts'
import type { History, State } from './history.ts'

/** What is known of a job: what no crash may take back, and what may or may not have happened. */
export interface KnownJob {
  /** The latest life that was seen, and the furthest state of it. */
  epoch?: string
  seen?: State
  /** It was seen that this life is over. */
  isGone: boolean
  /** A removal of this life was asked for. */
  mayBeGone: boolean
}

/** What publishers and watchers knew at a moment. */
export class Known {
  readonly jobs = new Map<string, KnownJob>()
  readonly history: History
  readonly #removals = new Set<string>()

  constructor(history: History) {
    this.history = history
  }

  /** @throws Error when something was seen that contradicts what was seen before */
  take(said: Said): void {
    this.history.take(said)
    if (said.say === 'saw') {
      const state = this.history.stateSeen(said)
      this.#see(state)
    } else if (said.say === 'remove') {
      this.#removals.add(`${said.job} ${said.epoch}`)
      const known = this.jobs.get(said.job)
      if (known?.epoch === said.epoch) known.mayBeGone = true
    } else if (said.say === 'gone') {
      const known = this.#life(said.job, said.epoch)
      if (known) known.isGone = true
    }
  }

  #see(state: State): void {
    const known = this.#life(state.job, state.epoch)
    if (!known) return
    const [earlier, later] =
      (known.seen?.document.version ?? 0) > state.document.version ? [state, known.seen] : [known.seen, state]
    if (earlier && later && !isBefore(earlier, later))
      throw new Error(`${state.job} was seen with another ${state.epoch}-${earlier.document.version}`)
    if (later) known.seen = later
  }

  /** What is known of a life; nothing when a later one was seen. */
  #life(job: string, epoch: string): KnownJob | undefined {
    const known = this.jobs.get(job)
    const order = known?.epoch === undefined ? -1 : compareEpochs(known.epoch, epoch)
    if (order > 0) return undefined
    if (order === 0) return known
    const life = { epoch, isGone: false, mayBeGone: this.#removals.has(`${job} ${epoch}`) }
    this.jobs.set(job, life)
    return life
  }
}

/** Whether a state leads to another, or is it. */
export function isBefore(earlier: State, later: State): boolean {
  let state: State | undefined = later
  while (state && state.document.version > earlier.document.version) state = state.before
  return state === earlier
}
