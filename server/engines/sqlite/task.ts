import { type Problem, refuse } from '../../errors.ts'
import type { Share } from '../support/fair-share.ts'
import type { Decided, Group } from './group.ts'
import { isDamage } from './plan.ts'

/** Principal of requests by the server itself. No real principal has this name. */
const SERVER = ''

/** A request that waits for its group commit. */
export class Task<T> implements Share {
  readonly who: string
  readonly weight: number
  /** It frees space or asks a producer to stop, so it may use the reserve on a full disk. */
  readonly frees: boolean
  readonly #decide: (group: Group) => Decided<T>
  readonly #refused: ((problem: Problem) => T) | undefined
  readonly #resolve: (answer: T) => void
  readonly #reject: (reason: unknown) => void
  #decided: Decided<T> | undefined
  #error: unknown

  /** @param refused makes a response of a problem; without it the request is rejected with the problem */
  constructor(
    { who = SERVER, weight = 1, decide, refused, frees = false }: Request<T>,
    resolve: (answer: T) => void,
    reject: (reason: unknown) => void,
  ) {
    this.who = who
    this.weight = weight
    this.frees = frees
    this.#decide = decide
    this.#refused = refused
    this.#resolve = resolve
    this.#reject = reject
  }

  /**
   * May run again: on a full disk the group is retried with only the requests that free space. Only damage of the file is thrown: another
   * failure is this request's alone.
   */
  decide(group: Group): void {
    this.#decided = undefined
    try {
      this.#decided = this.#decide(group)
    } catch (error) {
      if (isDamage(error)) throw error
      this.#error = error
    }
  }

  /** The group was committed: responds. @returns the change to publish, if any */
  done(): Decided<T>['wakeUp'] {
    if (this.#decided) this.#resolve(this.#decided.answer)
    else this.#reject(this.#error)
    return this.#decided?.wakeUp
  }

  /** The group could not be written. */
  fail(problem: Problem): void {
    if (this.#refused) this.#resolve(this.#refused(problem))
    else this.#reject(refuse(problem))
  }
}

/** A request to a group. */
export interface Request<T> {
  who?: string | undefined
  weight?: number
  decide: (group: Group) => Decided<T>
  refused?: (problem: Problem) => T
  frees?: boolean
}

/** A request of any kind. */
export type AnyTask = Pick<Task<unknown>, 'decide' | 'done' | 'fail' | 'frees' | 'who' | 'weight'>
