import type { Clock, Random, Timer } from '../../../../shared/time/clock.ts'
import { ProblemError, problems, refuse } from '../../../errors.ts'
import { isReply, type NodeParts, RedisNode } from '../connection/node.ts'
import { formatAddress } from '../connection/setting.ts'
import type { Script, ScriptCall } from '../scripts/script.ts'
import type { Partition } from './partitions.ts'
import { AWAY, hasForeignKey, isMove, SlotMoves, throughMoves } from './slot-moves.ts'
import type { Locate, Primary } from './topology.ts'

/** Pauses between attempts to connect: doubled each time, with jitter, so that nodes do not reconnect all at once. */
const RETRY_MS = { least: 100, most: 3_000 }
/** How often the primaries are looked for again: milliseconds. A demoted primary may still answer. */
const LOOK_MS = 5_000

interface NodesParts {
  clock: Clock
  random: Random
  setting: NodeParts['setting']
  confirm: NodeParts['confirm']
  partitions: readonly Partition[]
  locate: Locate
  /** Whether the primary can change while connections stay open. */
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
  /** Partitions that are moving to another primary. */
  readonly #adopted = new Set<number>()
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
    if (node) return node
    throw this.#adopted.has(partition.index) ? new SlotMoves() : refuse(problems.unavailable(AWAY))
  }

  /**
   * Does work again, from its beginning, while its slot moves from one primary to another.
   *
   * @param since when it was asked for: milliseconds of the monotonic clock
   */
  throughMoves<T>(work: () => Promise<T>, since?: number): Promise<T> {
    const { clock, random } = this.#parts
    return throughMoves(clock, random, since ?? clock.monotonic(), work)
  }

  /**
   * Runs a script that reads on a partition, wherever that moves.
   *
   * @param since as in {@link throughMoves}
   * @throws ProblemError 503 when the store is away or can't run it
   */
  read<T>(
    partition: Partition,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    since?: number,
  ): Promise<T> {
    return this.#ask(partition, (node) => node.read<T>(script, keys, args), since)
  }

  /**
   * Runs a script that commits if it replies 1, or an array that begins with it; resolves when that is acknowledged.
   *
   * @param onUnconfirmed called when the script has committed, but that was not acknowledged
   * @throws as {@link read}; SlotMoves when the slot moves, maybe to another history
   */
  commit<T>(
    partition: Partition,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    onUnconfirmed?: (reply: T) => void,
  ): Promise<T> {
    const hasCommitted = (reply: T) => [reply].flat()[0] === 1
    return this.#acknowledged(partition, (node) => node.write<T>(script, keys, args), hasCommitted, onUnconfirmed)
  }

  /**
   * Commits a batch, together with others; resolves when that is acknowledged.
   *
   * @returns the number of subscribers, or why the script has not committed
   * @param onUnconfirmed as in {@link commit}
   * @throws as {@link commit}
   */
  commitBatch<T>(partition: Partition, call: ScriptCall, onUnconfirmed: () => void): Promise<number | T> {
    const hasCommitted = (reply: number | T) => typeof reply === 'number'
    return this.#acknowledged(partition, (node) => node.commit(partition.index, call), hasCommitted, onUnconfirmed)
  }

  async #acknowledged<T>(
    partition: Partition,
    run: (node: RedisNode) => Promise<T>,
    hasCommitted: (reply: T) => boolean,
    onUnconfirmed?: (reply: T) => void,
  ): Promise<T> {
    const node = this.home(partition)
    try {
      const reply = await run(node)
      // On the same connection: another one knows nothing of the commit.
      if (this.#parts.confirm && hasCommitted(reply)) {
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
  call<T>(partition: Partition, args: readonly string[]): Promise<T> {
    return this.#ask(partition, (node) => node.call<T>(args))
  }

  /** Subscribes to a channel of a partition. @throws ProblemError 503 */
  subscribe(partition: Partition, channel: string): Promise<void> {
    return this.#ask(partition, (node) => node.subscribe(channel))
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

  #ask<T>(partition: Partition, ask: (node: RedisNode) => Promise<T>, since?: number): Promise<T> {
    return this.throughMoves(async () => {
      const node = this.home(partition)
      try {
        return await ask(node)
      } catch (error) {
        throw hasForeignKey(error) ? new SlotMoves() : this.#causeOf(error, node)
      }
    }, since)
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
    for (const { index } of moved) this.#adopted.add(index)
    try {
      for (const partition of moved) {
        const release = await recover(partition, node)
        if (node.isEnded) throw new Error(`The connection to ${name} was lost`)
        this.#homes[partition.index] = node
        release()
      }
    } finally {
      for (const { index } of moved) this.#adopted.delete(index)
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

  /** Plans the next refresh: soon when something is missing, or when the last one failed. */
  #schedule(): void {
    const { clock, random, canMove } = this.#parts
    if (this.#isClosed) return
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    this.#timer = undefined
    const isWell = this.isComplete && this.#failures === 0
    if (isWell && !canMove) return
    const most = Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** this.#failures)
    const ms = isWell ? LOOK_MS : random.number() * most
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined
      void this.refresh().then(() => this.#schedule())
    }, ms)
  }

  /** An error of the client as the problem that a request gets. */
  #causeOf(error: unknown, node: RedisNode): unknown {
    if (error instanceof ProblemError) return error
    if (isReply(error, 'MOVED')) void this.refresh().then(() => this.#schedule())
    if (isMove(error)) return new SlotMoves()
    const refusal = REFUSALS.find(([code]) => isReply(error, code))
    if (refusal) return refuse(problems.unavailable(refusal[1]))
    if (node.isEnded || hasForeignKey(error) || !isReplyError(error)) return refuse(problems.unavailable())
    return error
  }
}

/** Replies by which a server refuses a command or script before it has begun. */
const REFUSALS = [
  [
    'OOM',
    'The memory of the store is full, and nothing of the request was applied. Delete jobs, or raise maxmemory, then send it again.',
  ],
  [
    'MISCONF',
    'The store can not write to its disk, and nothing of the request was applied. See the log of Redis, then send it again.',
  ],
  ['NOREPLICAS', AWAY],
  ['CLUSTERDOWN', AWAY],
  ['LOADING', AWAY],
  ['BUSY', AWAY],
] as const

/** Whether the server replied, and did not merely lose the connection. */
function isReplyError(error: unknown): boolean {
  return error instanceof Error && /^[A-Z]+ /.test(error.message)
}
