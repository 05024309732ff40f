import type { Clock, Random, Timer } from '../../../shared/time/clock.ts'
import { ProblemError, problems, refuse } from '../../errors.ts'
import { isReply, type NodeParts, RedisNode } from './node.ts'
import type { Partition } from './partitions.ts'
import type { Script } from './scripts.ts'
import { formatAddress } from './setting.ts'
import type { Locate, Primary } from './topology.ts'

/** Pauses between attempts to connect: up to twice as long each time, at random, so that nodes do not come back all at once. */
const RETRY_MS = { least: 100, most: 3_000 }
/** How often the primaries are looked for again: milliseconds. A primary that lost its office may still answer. */
const LOOK_MS = 5_000

interface NodesParts {
  clock: Clock
  random: Random
  setting: NodeParts['setting']
  confirm: NodeParts['confirm']
  partitions: readonly Partition[]
  locate: Locate
  /** Whether primaries change without that a connection ends. */
  canMove: boolean
  onMessage: NodeParts['onMessage']
  /** Subscribes again and compares. Returns what is called once the partition has its primary. */
  recover(partition: Partition, node: RedisNode): Promise<() => void>
  /** The channel by which a node probes its subscriptions. */
  probeChannel(partition: Partition): string
}

/** The primaries of the store, and which of them has each partition. Connects again by itself, and looks for them again at intervals. */
export class RedisNodes {
  readonly #parts: NodesParts
  readonly #nodes = new Map<string, RedisNode>()
  readonly #homes: (RedisNode | undefined)[]
  #refreshing: Promise<void> | undefined
  #timer: Timer | undefined
  #failures = 0
  #reason: unknown
  #isClosed = false

  constructor(parts: NodesParts) {
    this.#parts = parts
    this.#homes = parts.partitions.map(() => undefined)
  }

  /** Connects for the first time. @throws what connecting throws */
  async open(): Promise<void> {
    await this.refresh()
    if (this.isComplete) return this.#schedule()
    this.close()
    throw this.#reason
  }

  /** Whether every partition has its primary. */
  get isComplete(): boolean {
    return this.#homes.every((node) => node !== undefined)
  }

  /** The primary of a partition. @throws ProblemError 503 while there is none */
  home(partition: Partition): RedisNode {
    const node = this.#homes[partition.index]
    if (!node) throw refuse(problems.unavailable(AWAY))
    return node
  }

  /** Runs a script that reads on a partition. @throws ProblemError 503 when the store is away or can't run it */
  async read<T>(partition: Partition, script: Script, keys: readonly string[], args: readonly string[]): Promise<T> {
    const node = this.home(partition)
    try {
      return await node.read<T>(script, keys, args)
    } catch (error) {
      throw this.#causeOf(error, node)
    }
  }

  /**
   * Runs a script that commits if it replies 1, or an array that begins with it; resolves when that is acknowledged.
   *
   * @param onUnconfirmed called when the script has committed, but that was not acknowledged
   * @throws as {@link read}
   */
  async commit<T>(
    partition: Partition,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    onUnconfirmed?: (reply: T) => void,
  ): Promise<T> {
    const node = this.home(partition)
    try {
      const reply = await node.write<T>(script, keys, args)
      // On the same connection: another one knows nothing of the commit.
      if ([reply].flat()[0] === 1) {
        await node.confirm().catch((error: unknown) => {
          onUnconfirmed?.(reply)
          throw error
        })
      }
      return reply
    } catch (error) {
      throw this.#causeOf(error, node)
    }
  }

  /** Resolves when all that a partition has now is acknowledged, whoever committed it. @param key may be written @throws as {@link read} */
  async confirm(partition: Partition, key: string): Promise<void> {
    if (!this.#parts.confirm) return
    const node = this.home(partition)
    try {
      // Replicas and the disk get writes in order.
      await node.touch(key)
      await node.confirm()
    } catch (error) {
      throw this.#causeOf(error, node)
    }
  }

  /** Sends a command that reads to the primary of a partition. @throws as {@link read} */
  async call<T>(partition: Partition, args: readonly string[]): Promise<T> {
    const node = this.home(partition)
    try {
      return await node.call<T>(args)
    } catch (error) {
      throw this.#causeOf(error, node)
    }
  }

  /** Subscribes to a channel of a partition. @throws ProblemError 503 */
  async subscribe(partition: Partition, channel: string): Promise<void> {
    const node = this.home(partition)
    try {
      await node.subscribe(channel)
    } catch (error) {
      throw this.#causeOf(error, node)
    }
  }

  unsubscribe(partition: Partition, channel: string): void {
    this.#homes[partition.index]?.unsubscribe(channel)
  }

  /** Looks for the primaries and connects to them. Never rejects. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh()
      .then(
        () => {
          this.#failures = 0
        },
        (error: unknown) => {
          this.#failures += 1
          this.#reason = error
        },
      )
      .finally(() => {
        this.#refreshing = undefined
      })
    return this.#refreshing
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== undefined) this.#parts.clock.clearTimeout(this.#timer)
    for (const node of [...this.#nodes.values()]) node.end(new Error('The server is stopping'))
  }

  async #refresh(): Promise<void> {
    const primaries = await this.#parts.locate()
    const served = new Set(primaries.map(({ address }) => formatAddress(address)))
    for (const [name, node] of [...this.#nodes]) if (!served.has(name)) node.end(new Error(`${name} is no primary now`))
    const outcomes = await Promise.allSettled(primaries.map((primary) => this.#adopt(primary)))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    const missing = this.#homes.indexOf(undefined)
    if (missing >= 0) throw new Error(`Nobody serves slot ${this.#parts.partitions[missing]?.slot}`)
  }

  /** Connects to a primary and gives it the partitions that are in its slots. */
  async #adopt({ address, ranges }: Primary): Promise<void> {
    const { partitions, recover, probeChannel } = this.#parts
    const name = formatAddress(address)
    const own = partitions.filter(({ slot }) => ranges.some(([first, last]) => first <= slot && slot <= last))
    if (own.length === 0) return
    const node = this.#nodes.get(name) ?? (await this.#connect(address))
    const moved = own.filter(({ index }) => this.#homes[index] !== node)
    // What belongs to the old primary must not be answered while the new one is being adopted.
    for (const { index } of moved) this.#homes[index] = undefined
    for (const partition of moved) {
      const release = await recover(partition, node)
      if (node.isEnded) throw new Error(`The connection to ${name} was lost`)
      this.#homes[partition.index] = node
      release()
    }
    if (own[0]) await node.probe(probeChannel(own[0]))
  }

  async #connect(address: Primary['address']): Promise<RedisNode> {
    const { clock, random, setting, confirm, onMessage } = this.#parts
    const node = await RedisNode.connect(address, {
      clock,
      random,
      setting,
      confirm,
      onMessage,
      onMoved: () => void this.refresh().then(() => this.#schedule()),
      onEnd: (ended) => this.#forget(ended),
    })
    if (this.#isClosed) node.end(new Error('The server is stopping'))
    else this.#nodes.set(formatAddress(address), node)
    return node
  }

  #forget(node: RedisNode): void {
    const name = formatAddress(node.address)
    if (this.#nodes.get(name) === node) this.#nodes.delete(name)
    for (const [index, home] of this.#homes.entries()) if (home === node) this.#homes[index] = undefined
    this.#schedule()
  }

  /** Plans the next refresh: soon when something is missing. */
  #schedule(): void {
    const { clock, random, canMove } = this.#parts
    if (this.#isClosed) return
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.isComplete && !canMove) return
    const most = Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** this.#failures)
    const ms = this.isComplete ? LOOK_MS : random.number() * most
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined
      void this.refresh().then(() => this.#schedule())
    }, ms)
  }

  /** An error of the client as the problem that a request gets. */
  #causeOf(error: unknown, node: RedisNode): unknown {
    if (error instanceof ProblemError) return error
    if (isReply(error, 'MOVED')) void this.refresh().then(() => this.#schedule())
    if (isReply(error, 'OOM')) return refuse(problems.unavailable(FULL))
    const isStated = STATES.some((code) => isReply(error, code))
    if (node.isEnded || isStated || !isReplyError(error)) return refuse(problems.unavailable())
    return error
  }
}

const AWAY = 'The store is away, and nothing of the request was applied. Send it again in a moment.'
const FULL =
  'The memory of the store is full, and nothing of the request was applied. Delete jobs, or raise maxmemory, then send it again.'
/** Replies by which a server says that it can't run a command now. */
const STATES = ['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN', 'LOADING', 'BUSY', 'MISCONF', 'NOREPLICAS']

/** Whether the server replied, and did not merely lose the connection. */
function isReplyError(error: unknown): boolean {
  return error instanceof Error && /^[A-Z]+ /.test(error.message)
}
