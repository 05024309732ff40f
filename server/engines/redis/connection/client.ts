import { isIP } from 'node:net'
import tls from 'node:tls'
import type { RedisClientType } from 'redis'
import { EngineOpenError } from '../../../jobs/engine.ts'
import { type Address, formatAddress, type RedisSetting } from './setting.ts'

/** A connection of the official client. */
export type RedisClient = RedisClientType

/** How long connecting, with authentication, may take: milliseconds. */
const CONNECT_MS = 3_000
/** Most commands that wait for replies on a connection. */
const MAX_WAITING = 20_000

/**
 * Opens one connection, which never reconnects by itself: another connection may find another history, or be mute.
 *
 * @param settings `credentials` of none for Sentinels, and database 0
 * @param onEnd called once when the connection has ended
 * @throws {EngineOpenError} when the client is not installed; errors of the client
 */
export async function connect(
  address: Address,
  settings: Pick<RedisSetting, 'tls' | 'username' | 'password' | 'database'>,
  onEnd: (error: Error) => void = () => {},
): Promise<RedisClient> {
  const { createClient } = await loadClient()
  const { username, password, database } = settings
  const client: RedisClient = createClient({
    socket: {
      ...address,
      ...(settings.tls && { tls: true }),
      // A certificate may have an IP address, but this is no name of a server (RFC 6066, 3).
      ...(settings.tls && isIP(address.host) === 0 && { servername: address.host }),
      connectTimeout: CONNECT_MS,
      reconnectStrategy: false,
    },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    database,
    // RESP 2 needs no HELLO, and the client's name no right.
    RESP: 2,
    disableClientInfo: true,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    // The client's own is a timer a command, and ends with its writing: `Connection` counts until the reply.
    commandOptions: { timeout: 0 },
  }) as unknown as RedisClient
  let ended: Error | undefined
  const end = (error: Error) => {
    if (ended) return
    ended = error
    // A reply that is not of the protocol ends the connection too.
    client.destroy()
    onEnd(error)
  }
  const at = formatAddress(address)
  client.on('error', end)
  client.on('end', () => end(new Error(`The connection to ${at} was closed`)))
  const timer = setTimeout(() => end(new Error(`${at} does not answer`)), CONNECT_MS)
  try {
    await withErrorsOf(() => client.connect(), end)
    // An open port may belong to a server that is stopped: only an answer counts.
    await client.sendCommand(['PING'])
    return client
  } catch (error) {
    const cause = ended ?? error
    client.destroy()
    throw cause
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Opens a connection, and listens to errors of its TLS socket. The client (6.3) does so only some microtasks after the handshake. On Deno
 * (2.9.5) the alert of a server that requires a certificate may arrive before that, and an error without a listener ends the process.
 */
function withErrorsOf<T>(open: () => T, onError: (error: Error) => void): T {
  const { connect: original } = tls
  const connect = (options: tls.ConnectionOptions) => original(options).on('error', onError)
  // The client has no option for its socket. It creates it within this call.
  Object.assign(tls, { connect })
  try {
    return open()
  } finally {
    Object.assign(tls, { connect: original })
  }
}

async function loadClient(): Promise<typeof import('redis')> {
  try {
    return await import('redis')
  } catch (error) {
    throw new EngineOpenError('The package "redis" is not installed: npm install redis@6', { cause: error })
  }
}
