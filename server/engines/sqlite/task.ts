import { type Problem, refuse } from '../../errors.ts'
import type { Share } from '../support/fair-share.ts'
import type { Decided, Group } from './group.ts'

/** Whose what is that no producer sent. No principal has this name. */
const SERVER = ''

/** A request that waits for its group. */
export class Task<T> implements Share {
  readonly who: string
  readonly weight: number
  /** It frees room, or is what people ask for to free some, and is taken on a full disk too. */
  readonly frees: boolean
  readonly #decide: (group: Group) => Decided<T>
  readonly #refused: ((problem: Problem) => T) | undefined
  readonly #resolve: (answer: T) => void
  readonly #reject: (reason: unknown) => void
  #decided: Decided<T> | undefined
  #error: unknown

  /** @param refused the answer that says a problem, where there is one; otherwise the request is rejected with it */
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

  /** Decided anew each time: on a full disk a group is tried again without those that need room. */
  decide(group: Group): void {
    this.#decided = undefined
    try {
      this.#decided = this.#decide(group)
    } catch (error) {
      this.#error = error
    }
  }

  /** The disk has it: answers, and says who is to be told of what. */
  done(): Decided<T>['told'] {
    if (this.#decided) this.#resolve(this.#decided.answer)
    else this.#reject(this.#error)
    return this.#decided?.told
  }

  /** The group could not be written. */
  fail(problem: Problem): void {
    if (this.#refused) this.#resolve(this.#refused(problem))
    else this.#reject(refuse(problem))
  }
}

/** What is asked of a group. */
export interface Request<T> {
  who?: string | undefined
  weight?: number
  decide: (group: Group) => Decided<T>
  refused?: (problem: Problem) => T
  frees?: boolean
}

/** A request of any kind. */
export type AnyTask = Pick<Task<unknown>, 'decide' | 'done' | 'fail' | 'frees' | 'who' | 'weight'>
