import { type Clock, type Random, randomId, type Timer } from '../../../../shared/time/clock.ts'
import type { Script, ScriptCall } from '../scripts/script.ts'
import { scripts } from '../scripts/scripts.ts'
import { Acknowledger } from './acknowledge.ts'
import { CommitGroups } from './commit-groups.ts'
import { Connection, REPLY_MS } from './connection.ts'
import { type Address, formatAddress, type RedisSetting } from './setting.ts'

/** How often a connection without messages is probed, and how long the probe may take: milliseconds. */
const PROBE_MS = 10_000
/** Characters of the replication id that name a generation in cursors. */
const GENERATION_LENGTH = 12

/** What a {@link RedisNode} needs. */
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
 * The connections to one primary, from when they were made until one of them fails. All of that time the server has one history, whose
 * replication id the scripts compare.
 */
export class RedisNode {
  readonly address: Address
  /** Names these connections, in messages of what is committed on them. */
  readonly id: string
  readonly #parts: NodeParts
  readonly #acknowledger: Acknowledger | undefined
  readonly #commits = new CommitGroups(({ keys, args }) => this.write(scripts.commit, keys, args))
  readonly #shas = new Map<Script, string>()
  /** For commits, which may have to wait for replicas or the disk. */
  #writer: Connection | undefined
  #reader: Connection | undefined
  #subscriber: Connection | undefined
  #replid = ''
  #ended: Error | undefined
  #probing: Timer | undefined
  #probeChannel: string | undefined
  #messageAt = 0

  private constructor(address: Address, parts: NodeParts) {
    this.address = address
    this.id = randomId(parts.random, 12)
    this.#parts = parts
    const { confirm } = parts
    this.#acknowledger = confirm && new Acknowledger(() => this.#call(this.#writer, confirm))
  }

  /** @throws errors of the client; Error when the server is no primary */
  static async connect(address: Address, parts: NodeParts): Promise<RedisNode> {
    const node = new RedisNode(address, parts)
    const open = () => Connection.open(address, parts.setting, parts.clock, (error) => node.end(error))
    try {
      node.#writer = await open()
      const info = parseInfo(await node.#writer.call<string>(['INFO', 'replication']))
      if (info.role !== 'master') throw new Error(`${formatAddress(address)} is a replica`)
      node.#replid = info.master_replid ?? ''
      node.#reader = await open()
      node.#subscriber = await open()
      node.#subscriber.client.on('sharded-channel-moved', () => parts.onMoved())
      await Promise.all(Object.values(scripts).map((script) => node.#load(script)))
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

  /** Runs a script that reads. */
  read<T>(script: Script, keys: readonly string[], args: readonly string[]): Promise<T> {
    return this.#run(this.#reader, script, keys, args)
  }

  /** Runs a script that writes. */
  write<T>(script: Script, keys: readonly string[], args: readonly string[]): Promise<T> {
    return this.#run(this.#writer, script, keys, args)
  }

  /** Commits a batch, after those of the same partition that were committed before. */
  commit<T>(partition: number, call: ScriptCall): Promise<T> {
    return this.#commits.add(partition, call)
  }

  /** Sends a command that reads. */
  call<T>(args: readonly string[]): Promise<T> {
    return this.#call(this.#reader, args)
  }

  /** Resolves when all that was written so far is acknowledged. */
  async confirm(): Promise<void> {
    await this.#acknowledger?.confirm()
  }

  /** Writes a key, so that {@link confirm} waits for everything before it, whoever wrote that. */
  async touch(key: string): Promise<void> {
    await this.#call(this.#writer, ['SET', key, '1'])
  }

  async subscribe(channel: string): Promise<void> {
    const { client } = this.#open(this.#subscriber)
    await this.#subscriber?.until(client.sSubscribe(channel, this.#receive))
  }

  unsubscribe(channel: string): void {
    if (this.#ended) return
    this.#subscriber?.client.sUnsubscribe(channel, this.#receive).catch(() => {})
  }

  /** Begins to probe the subscriptions, unless it has. @param channel one of this node, used by nobody else @throws when it can't subscribe */
  async probe(channel: string): Promise<void> {
    if (this.#probeChannel !== undefined) return
    this.#probeChannel = `${channel}:${randomId(this.#parts.random, 8)}`
    try {
      await this.subscribe(this.#probeChannel)
    } catch (error) {
      this.#probeChannel = undefined
      throw error
    }
    this.#scheduleProbe()
  }

  end(error: Error): void {
    if (this.#ended) return
    this.#ended = error
    const { clock } = this.#parts
    if (this.#probing !== undefined) clock.clearTimeout(this.#probing)
    for (const connection of [this.#writer, this.#reader, this.#subscriber]) connection?.end(error)
    this.#parts.onEnd(this, error)
  }

  readonly #receive = (message: string, channel: string): void => {
    this.#messageAt = this.#parts.clock.monotonic()
    if (channel !== this.#probeChannel && !this.#ended) this.#parts.onMessage(this, message, channel)
  }

  /** Servers and clients are known to stay connected and mute after a failover: only a message that arrives shows that others would. */
  #scheduleProbe(): void {
    const { clock } = this.#parts
    this.#probing = clock.setTimeout(() => {
      const sentAt = clock.monotonic()
      if (sentAt - this.#messageAt < PROBE_MS) return this.#scheduleProbe()
      this.#call(this.#writer, ['SPUBLISH', this.#probeChannel ?? '', '']).catch(() => {})
      this.#probing = clock.setTimeout(() => {
        if (this.#messageAt < sentAt) this.end(new Error(`${formatAddress(this.address)} sends no messages`))
        else this.#scheduleProbe()
      }, REPLY_MS)
    }, PROBE_MS)
  }

  async #load(script: Script): Promise<void> {
    this.#shas.set(script, await this.#call<string>(this.#writer, ['SCRIPT', 'LOAD', script.source]))
  }

  async #run<T>(
    connection: Connection | undefined,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<T> {
    const rest = [`${keys.length}`, ...keys, this.#replid, ...args]
    try {
      return await this.#call<T>(connection, ['EVALSHA', this.#shas.get(script) ?? '', ...rest])
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw error
      // Someone flushed the scripts. EVAL loads it again.
      return await this.#call<T>(connection, ['EVAL', script.source, ...rest])
    }
  }

  async #call<T>(connection: Connection | undefined, args: readonly string[]): Promise<T> {
    try {
      return await this.#open(connection).call<T>(args)
    } catch (error) {
      if (ENDS.some((code) => isReply(error, code))) this.end(error as Error)
      throw error
    }
  }

  #open(connection: Connection | undefined): Connection {
    if (this.#ended || !connection) throw this.#ended ?? new Error('Not connected')
    return connection
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
