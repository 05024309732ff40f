import type { Decided, Group } from './sqlite-group.ts'

/** A request that waits for its group. */
export class Task<T> {
  readonly #decide: (group: Group) => Decided<T>
  readonly #failed: (reason: unknown) => T
  readonly #resolve: (answer: T) => void
  readonly #reject: (reason: unknown) => void
  #decided: Decided<T> | undefined

  constructor(
    decide: (group: Group) => Decided<T>,
    failed: (reason: unknown) => T,
    resolve: (answer: T) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#decide = decide
    this.#failed = failed
    this.#resolve = resolve
    this.#reject = reject
  }

  decide(group: Group): void {
    try {
      this.#decided = this.#decide(group)
    } catch (error) {
      this.#reject(error)
    }
  }

  /** The file has it: answers, and says who is to be told of what. */
  done(): Decided<T>['told'] {
    if (this.#decided) this.#resolve(this.#decided.answer)
    return this.#decided?.told
  }

  /** The group could not be written. */
  fail(reason: unknown): void {
    try {
      this.#resolve(this.#failed(reason))
    } catch (error) {
      this.#reject(error)
    }
  }
}

/** A request of any kind. */
export type AnyTask = Pick<Task<unknown>, 'decide' | 'done' | 'fail'>
