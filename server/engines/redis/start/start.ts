import { EngineOpenError } from '../../../jobs/engine.ts'
import { type Partition, partitionsFor } from '../cluster/partitions.ts'
import { type Locate, locateBySentinel, locateInCluster, locateSingle } from '../cluster/topology.ts'
import type { AcknowledgeLevel } from '../connection/acknowledge.ts'
import { connect, type RedisClient } from '../connection/client.ts'
import { parseInfo } from '../connection/node.ts'
import { type Address, formatAddress, type RedisSetting } from '../connection/setting.ts'
import { PartitionKeys } from '../keys.ts'
import { openSentence } from './open-error.ts'
import { tryCommands } from './try-commands.ts'

/** The format of all keys. */
const FORMAT = '1'
/** Needed for sharded subscriptions and flags of scripts. */
const MIN_VERSION = 7
/** From this version on a server can wait for its append-only file (`WAITAOF`). */
const WAITAOF_VERSION = 7.2
/** Keys that are looked at to see whether another program has some of ours. */
const SCANNED = 1_000
/** How long a commit waits for replicas or the disk: milliseconds. */
const WAIT_MS = 2_000

/** A store that can be used. */
interface Prepared {
  setting: RedisSetting
  partitions: Partition[]
  locate: Locate
  /** Whether the primary can change while connections stay open. */
  canMove: boolean
  /** The command that waits until earlier commits are acknowledged, if the reply to them is not enough. */
  confirm: string[] | undefined
}

/**
 * Finds the primaries, and checks that they can do what is asked of them. Writes the format into an empty store, after all checks.
 *
 * @throws {EngineOpenError} that says what to do
 */
export async function prepare(setting: RedisSetting, level: AcknowledgeLevel): Promise<Prepared> {
  const isCluster = setting.sentinel === undefined && (await isClusterNode(setting))
  if (!isCluster && setting.sentinel === undefined && setting.addresses.length > 1) {
    throw new EngineOpenError(
      'MILEPOST_ENGINE has several addresses, but the servers are no cluster: name one, or with ?sentinel=NAME the Sentinels.',
    )
  }
  if (isCluster && setting.database !== 0)
    throw new EngineOpenError('A cluster has only database 0: leave it out of MILEPOST_ENGINE.')
  const partitions = partitionsFor(isCluster)
  const locate = locatorOf(setting, isCluster)
  const primaries = await locate().catch((error: unknown) => {
    throw openSentence(setting.addresses[0] as Address, setting, error)
  })
  const confirms: (string[] | undefined)[] = []
  for (const { address, ranges } of primaries) {
    const own = partitions.filter(({ slot }) => ranges.some(([first, last]) => first <= slot && slot <= last))
    await withClient(address, setting, async (client) => {
      confirms.push(await check(client, address, level))
      await checkKeys(client, address, partitions, own)
      // Last: then the connection takes subscriptions only.
      if (own[0]) await tryCommands(client, formatAddress(address), new PartitionKeys(own[0].tag, setting.database))
    })
  }
  for (const { address, ranges } of primaries) {
    const [first] = partitions
    if (!first || !ranges.some(([from, to]) => from <= first.slot && first.slot <= to)) continue
    const format = formatOf(partitions)
    await withClient(address, setting, (client) =>
      client.sendCommand(['SET', new PartitionKeys(first.tag, setting.database).format, format, 'NX']),
    )
  }
  return { setting, partitions, locate, canMove: isCluster || setting.sentinel !== undefined, confirm: confirms[0] }
}

const formatOf = (partitions: readonly Partition[]) => `milepost ${FORMAT}, ${partitions.length} partitions`

function locatorOf(setting: RedisSetting, isCluster: boolean): Locate {
  if (setting.sentinel !== undefined) return locateBySentinel(setting)
  return isCluster ? locateInCluster(setting) : locateSingle(setting)
}

/** Whether the first server that answers is a node of a cluster. */
async function isClusterNode(setting: RedisSetting): Promise<boolean> {
  let failure: unknown
  for (const address of setting.addresses) {
    try {
      return await withClient(address, { ...setting, database: 0 }, async (client) => {
        const info = parseInfo(await client.sendCommand<string>(['INFO', 'cluster']))
        return info.cluster_enabled === '1'
      })
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

async function withClient<T>(
  address: Address,
  setting: RedisSetting,
  work: (client: RedisClient) => Promise<T>,
): Promise<T> {
  let client: RedisClient | undefined
  try {
    client = await connect(address, setting)
    return await work(client)
  } catch (error) {
    throw openSentence(address, setting, error)
  } finally {
    client?.destroy()
  }
}

/** Checks a primary. @returns the command that confirms commits at this level */
async function check(client: RedisClient, address: Address, level: AcknowledgeLevel): Promise<string[] | undefined> {
  const at = formatAddress(address)
  const sections = ['server', 'memory', 'replication', 'persistence']
  const texts = await Promise.all(sections.map((section) => client.sendCommand<string>(['INFO', section])))
  const info = parseInfo(texts.join('\r\n'))
  const version = Number.parseFloat(info.redis_version ?? '')
  if (!(version >= MIN_VERSION)) {
    throw new EngineOpenError(
      `${at} is Redis ${info.redis_version ?? 'of an unknown version'}: Milepost needs Redis 7.0 or newer, or Valkey.`,
    )
  }
  if (info.role !== 'master') {
    throw new EngineOpenError(
      `${at} is a replica of ${info.master_host}:${info.master_port}: name the primary, or the Sentinels with ?sentinel=NAME.`,
    )
  }
  if (info.loading === '1') throw new EngineOpenError(`${at} is still loading its data: start again when it has.`)
  if (info.maxmemory_policy !== 'noeviction') {
    throw new EngineOpenError(
      `${at} has the maxmemory-policy ${info.maxmemory_policy}, which deletes parts of documents: set it to noeviction.`,
    )
  }
  if (level === 'replica') {
    if (Number(info.connected_slaves) > 0) return ['WAIT', '1', `${WAIT_MS}`]
    throw new EngineOpenError(
      `MILEPOST_ACKNOWLEDGE is replica, but ${at} has no replica: connect one, or choose disk or memory.`,
    )
  }
  return level === 'disk' ? checkDisk(client, at, info.aof_enabled === '1', version) : undefined
}

async function checkDisk(
  client: RedisClient,
  at: string,
  hasAof: boolean,
  version: number,
): Promise<string[] | undefined> {
  if (!hasAof) {
    throw new EngineOpenError(
      `MILEPOST_ACKNOWLEDGE is disk, but ${at} keeps no append-only file: set appendonly yes and appendfsync always.`,
    )
  }
  const [, policy] = await client.sendCommand<string[]>(['CONFIG', 'GET', 'appendfsync']).catch(() => [])
  if (policy === 'always') return undefined
  if (version >= WAITAOF_VERSION) return ['WAITAOF', '1', '0', `${WAIT_MS}`]
  throw new EngineOpenError(
    policy === undefined
      ? `MILEPOST_ACKNOWLEDGE is disk, but ${at} does not tell its appendfsync: allow CONFIG GET to this user.`
      : `MILEPOST_ACKNOWLEDGE is disk, but ${at} has appendfsync ${policy}: set it to always.`,
  )
}

/** Checks that the keys are ours, and of this format. */
async function checkKeys(
  client: RedisClient,
  address: Address,
  partitions: readonly Partition[],
  own: readonly Partition[],
): Promise<void> {
  const at = formatAddress(address)
  const [first] = partitions
  if (!first) return
  const key = new PartitionKeys(first.tag, 0).format
  const found = own.includes(first) ? await client.sendCommand<string | null>(['GET', key]) : null
  if (found !== null && found !== formatOf(partitions)) {
    throw new EngineOpenError(
      `${at} has a store of another format (${JSON.stringify(found)}; this one writes ${JSON.stringify(formatOf(partitions))}): run the Milepost that wrote it, or name another database.`,
    )
  }
  if (found !== null || !own.includes(first)) return
  const [, keys] = await client.sendCommand<[string, string[]]>(['SCAN', '0', 'MATCH', 'mp:{*', 'COUNT', `${SCANNED}`])
  // Ours have no format when the store was emptied while others write it, or when one of them begins it now.
  const foreign = keys.find((name) => !partitions.some(({ tag }) => name.startsWith(`mp:{${tag}}:`)))
  if (foreign === undefined) return
  throw new EngineOpenError(
    `${at} has keys such as ${JSON.stringify(foreign)}, which this Milepost did not write: name another database.`,
  )
}
