import type { JobHeader } from '../../shared/document/job.ts'
import { tenantOf } from '../../shared/document/tenant.ts'
import type { Clock } from '../../shared/time/clock.ts'
import type { Webhook } from '../../shared/wire/webhooks.ts'
import type { Delivery } from '../jobs/background/deliveries.ts'
import type { StoredJob } from '../jobs/engine.ts'
import { plainHeader } from '../jobs/tenant-documents.ts'
import { digestOf } from '../support/digest.ts'
import type { AddressRange } from '../support/ip-address.ts'
import { version } from '../version.ts'
import { addressIn, isAllowedAddress } from './addresses.ts'
import { SERVER_NAME, signedHeaders } from './signature.ts'
import type { WebhookTransport } from './transport.ts'

/** How long an attempt may take, from the lookup of the name to the status of the response: milliseconds. */
const ATTEMPT_MS = 15_000

/** The status by which a receiver says that it wants nothing more. */
const GONE = 410

interface SenderOptions {
  /** The secrets of the server, from which those of webhooks are derived. */
  secrets: readonly string[]
  transport: WebhookTransport
  /** Private networks that jobs' webhooks may be sent to, and without encryption. */
  networks: readonly AddressRange[]
  clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>
}

/** Outcome of an attempt: without a `reason` it succeeded. */
interface Attempted {
  /** Why it failed, in a few words without the URL. */
  reason?: string
  /** The receiver wants no more. */
  isGone?: true
}

/** Sends webhooks: one attempt at a time, each signed and to an address that was checked. */
export class Sender {
  readonly #options: SenderOptions

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** Makes one attempt. Never rejects. */
  async send(delivery: Delivery, { header }: StoredJob): Promise<Attempted> {
    const { clock } = this.#options
    const controller = new AbortController()
    const timeout = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(new Error('it took longer than 15 seconds')))
    })
    // Nobody may be waiting for it any more.
    timeout.catch(() => {})
    const timer = clock.setTimeout(() => controller.abort(), ATTEMPT_MS)
    try {
      const status = await Promise.race([this.#post(delivery, header, controller.signal), timeout])
      if (status >= 200 && status < 300) return {}
      const reason = status >= 300 && status < 400 ? `status ${status}: redirects are not followed` : `status ${status}`
      return status === GONE ? { reason, isGone: true } : { reason }
    } catch (error) {
      return { reason: (error instanceof Error ? error.message : String(error)).slice(0, 200) }
    } finally {
      clock.clearTimeout(timer)
    }
  }

  async #post(delivery: Delivery, header: JobHeader, signal: AbortSignal): Promise<number> {
    const { secrets, transport, clock } = this.#options
    const url = new URL(delivery.url)
    const address = await this.#addressOf(delivery, url)
    const body = JSON.stringify(bodyOf(delivery, header))
    const { id, epoch, createdBy } = header
    const messageId = `msg_${await digestOf([id, epoch, delivery.version, delivery.url])}`
    const sentAt = Math.floor(clock.now() / 1_000)
    const name = delivery.ofServer ? SERVER_NAME : createdBy
    const signed = await signedHeaders(secrets, name, { id: messageId, sentAt, body })
    const headers = { 'content-type': 'application/json', 'user-agent': `Milepost/${version}`, ...signed }
    if (signal.aborted) throw new Error('it was given up')
    return transport.post({ url, headers, body, signal, ...(address === undefined ? {} : { address }) })
  }

  /** Where to connect. The URLs of the settings may lead anywhere: the operator chose them. @throws Error for an address that is not allowed */
  async #addressOf({ ofServer, tries }: Delivery, url: URL): Promise<string | undefined> {
    const { transport, networks } = this.#options
    if (ofServer && !transport.resolve) return undefined
    const literal = addressIn(url) && url.hostname.replace(/^\[|\]$/g, '')
    if (literal === undefined && !transport.resolve) {
      if (transport.reachesPublicOnly && url.protocol === 'https:') return undefined
      throw new Error('the address of the host is not checked on this server')
    }
    const found = literal === undefined ? await transport.resolve?.(url.hostname) : [literal]
    const allowed = (found ?? []).filter((address) => ofServer || isAllowedAddress(address, url.protocol, networks))
    // Another one each time, in case one of them is out of reach.
    const address = allowed[tries % allowed.length]
    if (address === undefined) throw new Error('the address of the host is not allowed')
    return address
  }
}

/** The names in it are those that its receiver knows: a tenant's are plain to the tenant, and qualified to the operator of the server. */
function bodyOf({ type, occurredAt, ofServer, ask: asked }: Delivery, header: JobHeader): Webhook {
  const known = ofServer ? header : plainHeader(tenantOf(header.id), header)
  const { result: _result, metadata: _metadata, asks, ...job } = known
  const ask = asked === undefined ? undefined : asks?.find(({ id }) => id === asked)
  return { apiVersion: 1, type, timestamp: occurredAt, data: ask ? { job, ask } : { job } }
}
