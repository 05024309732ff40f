import { type Clock, type Random, randomId, type Timer } from '../../../shared/time/clock.ts'
import { Acknowledger } from './acknowledge.ts'
import { connect, type RedisClient } from './client.ts'
import { type Script, scripts } from './scripts.ts'
import { type Address, formatAddress, type RedisSetting } from './setting.ts'

/** Longest time without a reply while commands wait: milliseconds. Then the server counts as away. */
const SILENCE_MS = 3_000
/** How often a connection without messages is probed, and how long the probe may take: milliseconds. */
const PROBE_MS = 10_000
/** Characters of the replication id that name a generation in cursors. */
const GENERATION_LENGTH = 12

export interface NodeParts {
  clock: Clock
  random: Random
  setting: RedisSetting
  /** The command that waits until earlier commits are acknowledged, if the reply to them is not enough. */
  confirm: string[] | undefined
  /** Called for each message of a subscribed channel. */
  onMessage(node: RedisNode, message: string, channel: string): void
  /** Called when a slot with subscribed channels has moved to another primary. */
  onMoved(): void
  /** Called once, when either connection has failed or was found mute. */
  onEnd(node: RedisNode, error: Error): void
}

/**
 * The connections to one primary, for commands and for subscriptions, from when they were made until one of them fails. All of that time the
 * server has one history, whose replication id the scripts compare.
 */
export class RedisNode {
  readonly address: Address
  /** Names these connections, in messages of what is committed on them. */
  readonly id: string
  readonly #parts: NodeParts
  readonly #acknowledger: Acknowledger | undefined
  readonly #shas = new Map<Script, string>()
  #commands: RedisClient | undefined
  #subscriber: RedisClient | undefined
  #replid = ''
  #ended: Error | undefined
  #waiting = 0
  /** When the last reply came, or the first command that waits was sent: milliseconds of the monotonic clock. */
  #heardAt = 0
  #watchdog: Timer | undefined
  #probing: Timer | undefined
  #probeChannel: string | undefined
  #messageAt = 0

  private constructor(address: Address, parts: NodeParts) {
    this.address = address
    this.id = randomId(parts.random, 12)
    this.#parts = parts
    const { confirm } = parts
    this.#acknowledger = confirm && new Acknowledger(() => this.call(confirm))
  }

  /** @throws errors of the client; Error when the server is no primary */
  static async connect(address: Address, parts: NodeParts): Promise<RedisNode> {
    const node = new RedisNode(address, parts)
    const open = () => connect(address, parts.setting, (error) => node.end(error))
    try {
      node.#commands = await open()
      const info = parseInfo(await node.call<string>(['INFO', 'replication']))
      if (info.role !== 'master') throw new Error(`${formatAddress(address)} is a replica`)
      node.#replid = info.master_replid ?? ''
      node.#subscriber = await open()
      node.#subscriber.on('sharded-channel-moved', () => parts.onMoved())
      for (const script of Object.values(scripts))
        node.#shas.set(script, await node.call<string>(['SCRIPT', 'LOAD', script.source]))
      if (node.#ended) throw node.#ended
      return node
    } catch (error) {
      node.end(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  /** Names the server's history in cursors. */
  get generation(): string {
    return this.#replid.slice(0, GENERATION_LENGTH)
  }

  get isEnded(): boolean {
    return this.#ended !== undefined
  }

  /** Runs a script. Commands of one turn of the event loop travel together. */
  async run<T>(script: Script, keys: readonly string[], args: readonly string[]): Promise<T> {
    const rest = [`${keys.length}`, ...keys, this.#replid, ...args]
    try {
      return await this.call<T>(['EVALSHA', this.#shas.get(script) ?? '', ...rest])
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw error
      // Someone flushed the scripts. EVAL loads it again.
      return await this.call<T>(['EVAL', script.source, ...rest])
    }
  }

  /** Resolves when the commits of this connection are acknowledged. */
  async confirm(): Promise<void> {
    await this.#acknowledger?.confirm()
  }

  /** Sends a command. @throws ReplyError of the client, or an error of the connection: whether the command ran is then unknown */
  async call<T>(args: readonly string[]): Promise<T> {
    if (this.#ended || !this.#commands) throw this.#ended ?? new Error('Not connected')
    if (this.#waiting === 0) this.#heardAt = this.#parts.clock.monotonic()
    this.#waiting += 1
    this.#watch()
    try {
      const reply = await this.#commands.sendCommand<T>(args as string[])
      return reply
    } catch (error) {
      if (ENDS.some((code) => isReply(error, code))) this.end(error as Error)
      throw error
    } finally {
      this.#waiting -= 1
      this.#heardAt = this.#parts.clock.monotonic()
    }
  }

  async subscribe(channel: string): Promise<void> {
    if (this.#ended || !this.#subscriber) throw this.#ended ?? new Error('Not connected')
    await this.#within(this.#subscriber.sSubscribe(channel, this.#receive))
  }

  unsubscribe(channel: string): void {
    if (this.#ended || !this.#subscriber) return
    this.#subscriber.sUnsubscribe(channel, this.#receive).catch(() => {})
  }

  /** Begins to probe the subscriptions. @param channel one of this node, used by nobody else */
  async probe(channel: string): Promise<void> {
    if (this.#probeChannel !== undefined) return
    this.#probeChannel = `${channel}:${randomId(this.#parts.random, 8)}`
    await this.subscribe(this.#probeChannel)
    this.#scheduleProbe()
  }

  end(error: Error): void {
    if (this.#ended) return
    this.#ended = error
    const { clock } = this.#parts
    if (this.#watchdog !== undefined) clock.clearTimeout(this.#watchdog)
    if (this.#probing !== undefined) clock.clearTimeout(this.#probing)
    this.#commands?.destroy()
    this.#subscriber?.destroy()
    this.#parts.onEnd(this, error)
  }

  readonly #receive = (message: string, channel: string): void => {
    this.#messageAt = this.#parts.clock.monotonic()
    if (channel !== this.#probeChannel && !this.#ended) this.#parts.onMessage(this, message, channel)
  }

  /** Fails the node when commands wait and the server says nothing. */
  #watch(): void {
    const { clock } = this.#parts
    this.#watchdog ??= clock.setTimeout(() => {
      this.#watchdog = undefined
      if (this.#waiting === 0 || this.#ended) return
      if (clock.monotonic() - this.#heardAt >= SILENCE_MS) this.end(new Error(this.#silence))
      else this.#watch()
    }, SILENCE_MS / 2)
  }

  /** Servers and clients are known to stay connected and mute after a failover: only a message that arrives shows that others would. */
  #scheduleProbe(): void {
    const { clock } = this.#parts
    this.#probing = clock.setTimeout(() => {
      const sentAt = clock.monotonic()
      if (sentAt - this.#messageAt < PROBE_MS) return this.#scheduleProbe()
      this.call(['SPUBLISH', this.#probeChannel ?? '', '']).catch(() => {})
      this.#probing = clock.setTimeout(() => {
        if (this.#messageAt < sentAt) this.end(new Error(`${formatAddress(this.address)} sends no messages`))
        else this.#scheduleProbe()
      }, SILENCE_MS)
    }, PROBE_MS)
  }

  async #within<T>(work: Promise<T>): Promise<T> {
    const { clock } = this.#parts
    const timer = clock.setTimeout(() => this.end(new Error(this.#silence)), SILENCE_MS)
    try {
      return await work
    } finally {
      clock.clearTimeout(timer)
    }
  }

  get #silence(): string {
    return `${formatAddress(this.address)} does not answer`
  }
}

/** Replies after which the server is not, or may not be, the primary that it was. */
const ENDS = ['GENERATION', 'READONLY', 'NOAUTH', 'NOPERM', 'WRONGPASS', 'MASTERDOWN', 'UNBLOCKED']

/** Whether the server replied with an error of this code. */
export function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && (error.message === code || error.message.startsWith(`${code} `))
}

/** The fields of a section of INFO. */
export function parseInfo(text: string): Record<string, string | undefined> {
  return Object.fromEntries(
    text.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':')
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)]] : []
    }),
  )
}
