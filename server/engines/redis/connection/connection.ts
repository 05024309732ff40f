import type { Clock, Timer } from '../../../../shared/time/clock.ts'
import { connect, type RedisClient } from './client.ts'
import { type Address, formatAddress, type RedisSetting } from './setting.ts'

/** Longest time without a reply while commands wait: milliseconds. Then the server counts as unreachable. */
export const REPLY_MS = 3_000

/** One connection. Commands of one turn of the event loop are sent together (pipelining). It ends when a reply is overdue. */
export class Connection {
  readonly client: RedisClient
  readonly #address: Address
  readonly #clock: Clock
  readonly #onEnd: (error: Error) => void
  #waiting = 0
  /** When the last reply came, or the first command that waits was sent: milliseconds of the monotonic clock. */
  #heardAt = 0
  #watchdog: Timer | undefined
  #ended: Error | undefined

  private constructor(client: RedisClient, address: Address, clock: Clock, onEnd: (error: Error) => void) {
    this.client = client
    this.#address = address
    this.#clock = clock
    this.#onEnd = onEnd
  }

  /** @param onEnd called when the connection has ended; maybe more than once @throws as `connect` */
  static async open(
    address: Address,
    setting: RedisSetting,
    clock: Clock,
    onEnd: (error: Error) => void,
  ): Promise<Connection> {
    return new Connection(await connect(address, setting, onEnd), address, clock, onEnd)
  }

  /** Sends a command. @throws an error reply, or an error of the connection: whether the command ran is then unknown */
  call<T>(args: readonly string[]): Promise<T> {
    return this.until(this.client.sendCommand<T>(args as string[]))
  }

  /** Waits for a reply that the client has asked for, and ends the connection if it is overdue. */
  async until<T>(reply: Promise<T>): Promise<T> {
    if (this.#waiting === 0) this.#heardAt = this.#clock.monotonic()
    this.#waiting += 1
    this.#watch()
    try {
      return await reply
    } finally {
      this.#waiting -= 1
      this.#heardAt = this.#clock.monotonic()
    }
  }

  /** Ends the connection. Idempotent. */
  end(error: Error): void {
    if (this.#ended) return
    this.#ended = error
    if (this.#watchdog !== undefined) this.#clock.clearTimeout(this.#watchdog)
    this.client.destroy()
    this.#onEnd(error)
  }

  #watch(): void {
    this.#watchdog ??= this.#clock.setTimeout(() => {
      this.#watchdog = undefined
      if (this.#waiting === 0 || this.#ended) return
      if (this.#clock.monotonic() - this.#heardAt < REPLY_MS) this.#watch()
      else this.end(new Error(`${formatAddress(this.#address)} does not answer`))
    }, REPLY_MS / 2)
  }
}
