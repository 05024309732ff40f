import { EngineOpenError } from '../../../jobs/engine.ts'
import { connect, type RedisClient } from '../connection/client.ts'
import { isReply } from '../connection/node.ts'
import { type Address, formatAddress, type RedisSetting } from '../connection/setting.ts'

/** A primary, and the slots that it serves: first and last of each range. */
export interface Primary {
  address: Address
  ranges: [first: number, last: number][]
}

/** Finds out which primaries there are now. */
export type Locate = () => Promise<Primary[]>

const ALL_SLOTS: [number, number][] = [[0, 16_383]]

/** The one server of the setting. */
export function locateSingle({ addresses }: RedisSetting): Locate {
  return async () => addresses.map((address) => ({ address, ranges: ALL_SLOTS }))
}

/** The primary that the Sentinels name. */
export function locateBySentinel(setting: RedisSetting): Locate {
  const { sentinel = '' } = setting
  return async () => {
    const address = await askAny(setting.addresses, connectToSentinel(setting), async (client, from) => {
      const found = await client.sendCommand<[string, string] | null>(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', sentinel])
      if (found) return { host: found[0], port: Number(found[1]) }
      throw new EngineOpenError(`The Sentinel at ${formatAddress(from)} knows no primary named "${sentinel}".`)
    })
    return [{ address, ranges: ALL_SLOTS }]
  }
}

type SlotRange = [first: number, last: number, primary: [host: string | null, port: number, ...unknown[]]]

/** The primaries of a cluster, asked of the nodes that are known, and of those in the setting. */
export function locateInCluster(setting: RedisSetting): Locate {
  let known: Address[] = []
  return async () => {
    const open = (address: Address) => connect(address, { ...setting, database: 0 })
    const primaries = await askAny([...known, ...setting.addresses], open, async (client, from) => {
      const slots = await client.sendCommand<SlotRange[]>(['CLUSTER', 'SLOTS'])
      const found = new Map<string, Primary>()
      for (const [first, last, [host, port]] of slots) {
        // A node that does not know its own name gives none: it is where it was asked.
        const address = { host: host || from.host, port }
        const primary = found.get(formatAddress(address)) ?? { address, ranges: [] }
        found.set(formatAddress(address), primary)
        primary.ranges.push([first, last])
      }
      return [...found.values()]
    })
    known = primaries.map(({ address }) => address)
    return primaries
  }
}

/** Connects to a Sentinel: many have no password while the servers have one. One that wants a password gets the same. */
function connectToSentinel(setting: RedisSetting): (address: Address) => Promise<RedisClient> {
  return async (address) => {
    try {
      return await connect(address, { tls: setting.tls, database: 0 })
    } catch (error) {
      if (setting.password === undefined || !isReply(error, 'NOAUTH')) throw error
      return connect(address, { ...setting, database: 0 })
    }
  }
}

/** Asks one server after another until one answers. @throws the error of the last */
async function askAny<T>(
  addresses: readonly Address[],
  open: (address: Address) => Promise<RedisClient>,
  ask: (client: RedisClient, from: Address) => Promise<T>,
): Promise<T> {
  let failure: unknown
  for (const address of addresses) {
    let client: RedisClient | undefined
    try {
      client = await open(address)
      return await ask(client, address)
    } catch (error) {
      failure = error
    } finally {
      client?.destroy()
    }
  }
  throw failure
}
