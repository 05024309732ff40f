import { ProblemError } from '../../../server/errors.ts'
import type { Change, Engine, Unwatch } from '../../../server/jobs/engine.ts'
import type { Limits } from '../../../shared/document/limits.ts'
import type { Answer } from './protocol.ts'

interface Asked {
  resolve(result: unknown): void
  reject(error: unknown): void
}

interface Watch {
  wake(change: Change): void
  onLost: (() => void) | undefined
}

const GONE = 'The Worker is gone'

/** The engine of a Worker, as seen from here: each call goes over one WebSocket, and so do the wake-ups. */
export class RemoteEngine {
  readonly #socket: WebSocket
  readonly #asked = new Map<number, Asked>()
  readonly #watches = new Map<number, Watch>()
  #number = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data))))
    socket.addEventListener('close', () => {
      for (const { reject } of this.#asked.values()) reject(new Error(GONE))
    })
  }

  /** @param door of the test's Worker that leads to an engine */
  static async connect(
    url: string,
    door: 'engine' | 'frozen-engine',
    options: { limits?: Partial<Limits> | undefined; retentionSeconds?: number } = {},
  ): Promise<Engine> {
    const address = new URL(`/test/${door}`, url)
    address.protocol = 'ws:'
    address.searchParams.set('options', JSON.stringify(options))
    const socket = new WebSocket(address)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error('The Worker can not be reached')))
    await promise
    return new RemoteEngine(socket).engine
  }

  get engine(): Engine {
    const call =
      (method: string) =>
      (...args: unknown[]): Promise<never> =>
        this.#ask(method, args).answer as Promise<never>
    return {
      name: 'durable-object',
      tellsAll: true,
      knowsOwnersOnly: true,
      create: call('create'),
      apply: call('apply'),
      read: call('read'),
      changesSince: call('changesSince'),
      list: call('list'),
      remove: call('remove'),
      check: call('check'),
      notes: {
        put: call('notes.put'),
        get: call('notes.get'),
        take: call('notes.take'),
        list: call('notes.list'),
      },
      watch: (target, wake, onLost) => this.#watch(target, { wake, onLost }),
      close: async () => this.#socket.close(),
    }
  }

  async #watch(target: unknown, watch: Watch): Promise<Unwatch> {
    const { number, answer } = this.#ask('watch', [target])
    this.#watches.set(number, watch)
    await answer
    return () => {
      if (this.#watches.delete(number)) void this.#ask('unwatch', [number]).answer
    }
  }

  #ask(method: string, args: unknown[]): { number: number; answer: Promise<unknown> } {
    this.#number += 1
    const number = this.#number
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    if (this.#socket.readyState !== WebSocket.OPEN) throw new Error(GONE)
    this.#asked.set(number, { resolve, reject })
    this.#socket.send(JSON.stringify({ number, method, args }))
    return { number, answer: promise }
  }

  #hear(answer: Answer): void {
    const watch = this.#watches.get(answer.number)
    if ('change' in answer) {
      try {
        watch?.wake(answer.change)
      } catch (error) {
        // As the engine does for those in its own process.
        console.error(error)
      }
    } else if ('lost' in answer) watch?.onLost?.()
    else {
      const asked = this.#asked.get(answer.number)
      this.#asked.delete(answer.number)
      if ('failed' in answer) asked?.reject(failure(answer.failed))
      else asked?.resolve(answer.result)
    }
  }
}

function failure({ message, problem }: { message: string; problem?: unknown }): Error {
  return problem ? new ProblemError(problem as ProblemError['problem']) : new Error(message)
}
