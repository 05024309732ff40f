import { unqualify } from '../../shared/document/tenant.ts'
import type { Random } from '../../shared/time/clock.ts'
import type { UndeliveredList, UndeliveredQuery } from '../../shared/wire/webhooks.ts'
import { fullName, type Principal, requireScope, requireServerAdmin } from '../auth/access.ts'
import { problems, refuse } from '../errors.ts'
import type { Sweeper } from '../jobs/background/sweeper.ts'
import type { Engine } from '../jobs/engine.ts'
import type { TrustedClock } from '../jobs/trusted-clock.ts'
import type { Metrics } from '../metrics.ts'
import { type AddressRange, parseRange } from '../support/ip-address.ts'
import { flawOfDestination } from './addresses.ts'
import { Deliverer } from './deliverer.ts'
import { Sender } from './sender.ts'
import { SERVER_NAME, webhookSecret } from './signature.ts'
import { fetchTransport, type WebhookTransport } from './transport.ts'
import { Undelivered } from './undelivered.ts'

/** Options of webhooks. */
export interface WebhookOptions {
  /** URLs that are notified of every job, wherever they lead. */
  urls?: readonly string[] | undefined
  /** Private networks, as addresses and ranges, that the `notify` of jobs may lead to, and without encryption. None by default. */
  networks?: readonly string[] | undefined
  /** How the runtime sends. By default with `fetch`, which can't check addresses, so that jobs may not have a `notify`. */
  transport?: WebhookTransport | undefined
}

interface WebhooksContext {
  engine: Engine
  /** The secrets of the server. */
  secrets: readonly string[]
  clock: TrustedClock
  random: Random
  metrics: Metrics
  onError: (error: unknown) => void
}

/** Webhooks of this server: what is sent where, by which secrets, and what could not be delivered. */
export class Webhooks {
  readonly urls: readonly string[]
  readonly #context: WebhooksContext
  readonly #transport: WebhookTransport
  readonly #networks: readonly AddressRange[]
  readonly #undelivered: Undelivered
  #deliverer: Deliverer | undefined
  /** Whether any job of this process may have webhooks. */
  #isUsed: boolean

  constructor({ urls = [], networks = [], transport = fetchTransport }: WebhookOptions, context: WebhooksContext) {
    this.urls = urls
    this.#isUsed = urls.length > 0
    this.#context = context
    this.#transport = transport
    this.#networks = networks.flatMap((text) => parseRange(text) ?? [])
    const { engine, clock, random } = context
    this.#undelivered = new Undelivered({ notes: engine.notes, clock, random })
  }

  /** Why a job may not notify a URL; `undefined` if it may. */
  flawOf(url: string): string | undefined {
    this.#isUsed = true
    const { resolve, reachesPublicOnly } = this.#transport
    if (!resolve && !reachesPublicOnly) return 'is not possible on this server, which has no way to check its address'
    return flawOfDestination(new URL(url), this.#networks)
  }

  /** Delivers until `stop()`. @param sweeper ends jobs with deliveries that are due */
  start(sweeper: Sweeper): void {
    const { secrets, clock } = this.#context
    const sender = new Sender({ secrets, transport: this.#transport, networks: this.#networks, clock })
    const end = sweeper.end.bind(sweeper)
    this.#deliverer = new Deliverer({ ...this.#context, sender, undelivered: this.#undelivered, end })
    this.#deliverer.start()
  }

  stop(): void {
    this.#deliverer?.stop()
  }

  /** Called when a job may have webhooks to deliver. */
  onDue(): void {
    if (this.#isUsed) this.#deliverer?.soon()
  }

  /** The secret of a principal's webhooks, or that of the URLs in the settings. @throws ProblemError 401, 403 */
  async secret(principal: Principal, of?: 'server'): Promise<string> {
    if (of === 'server') requireServerAdmin(principal)
    else requireScope(principal, 'jobs:write')
    return webhookSecret(this.#context.secrets, of === 'server' ? SERVER_NAME : fullName(principal))
  }

  /** What could not be delivered of the principal's tenant, or at all. @throws ProblemError 401, 403 */
  listUndelivered(principal: Principal, query: UndeliveredQuery): Promise<UndeliveredList> {
    requireScope(principal, 'jobs:admin')
    return this.#undelivered.list(principal.tenant, query)
  }

  /**
   * Sends an undelivered webhook again, as often as a new one.
   *
   * @returns the job, as the principal knows it
   * @throws ProblemError 401, 403, 404, 409 if the job was removed
   */
  async sendAgain(principal: Principal, id: string): Promise<{ job: string }> {
    requireScope(principal, 'jobs:admin')
    const letter = await this.#undelivered.find(principal.tenant, id)
    if (!letter) throw refuse(problems.nothingHere())
    const { url, type, ask, version, occurredAt, ofServer, job, epoch } = letter
    const { engine, clock } = this.#context
    const now = clock.now()
    const more = { ...(ofServer ? { ofServer } : {}), ...(ask === undefined ? {} : { ask }) }
    const event = { url, type, version, occurredAt, ...more }
    const delivery = { ...event, at: now, tries: 0 }
    const applied = await engine.apply(job, {
      events: [],
      at: new Date(now).toISOString(),
      epoch,
      decide: { delivery: { to: delivery } },
    })
    if ('refused' in applied) {
      if (applied.refused.status !== 404) throw refuse(applied.refused)
      throw refuse(problems.conflict('The job was removed, and its webhook with it.'))
    }
    await this.#undelivered.remove(letter, id)
    this.#isUsed = true
    this.onDue()
    return { job: principal.tenant === undefined ? job : unqualify(job).name }
  }
}
