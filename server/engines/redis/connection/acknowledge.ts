import { problems, refuse } from '../../../errors.ts'

/** What an acknowledged event survives: a crash of this server; a restart of Redis; or the loss of the primary. */
export type AcknowledgeLevel = 'memory' | 'disk' | 'replica'

/** Sends commands that wait for replicas or for the disk. Commits that wait together share one, for it blocks the connection. */
export class Acknowledger {
  readonly #wait: () => Promise<number | number[]>
  /** The command that will be sent when the last one is done. */
  #next: Promise<void> | undefined
  #last: Promise<unknown> = Promise.resolve()

  /** @param wait sends `WAIT` or `WAITAOF` on the connection of the commits: it knows no others' */
  constructor(wait: () => Promise<number | number[]>) {
    this.#wait = wait
  }

  /** Resolves when what was committed before this call is acknowledged. @throws ProblemError 503 when that takes too long */
  confirm(): Promise<void> {
    this.#next ??= this.#last.then(() => this.#send())
    const next = this.#next
    this.#last = next.catch(() => {})
    return next
  }

  async #send(): Promise<void> {
    // Later commits need another command.
    this.#next = undefined
    const [count = 0] = [await this.#wait()].flat()
    if (count < 1) throw refuse(problems.unavailable())
  }
}
