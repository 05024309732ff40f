import { createApp, type Milepost } from '../../../server/app.ts'
import type { Assets } from '../../../server/http/pages/routes.ts'
import type { Engine } from '../../../server/jobs/engine.ts'
import { createServices } from '../../../server/services/index.ts'
import { Undelivered } from '../../../server/webhooks/undelivered.ts'
import type { Job } from '../../../shared/document/job.ts'
import { defaultLimits, type Limits } from '../../../shared/document/limits.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { SECRET } from '../../support/tokens.ts'
import { VirtualClock } from '../../virtual-clock.ts'
import { credentials, type Plan } from '../requests/plans.ts'
import { Acknowledged } from './acknowledged.ts'
import { type Answer, faultOf } from './answers.ts'
import { decodeStrictly, type Made, make, within } from './made.ts'
import { OpenStreams } from './open-streams.ts'
import { makeTokens } from './tokens.ts'
import { Victim } from './victim.ts'

const MANY = 1_000_000_000
const RETENTION_SECONDS = 86_400

/** Small, so that requests reach them; rates are another test's. */
export const worldLimits: Limits = {
  ...defaultLimits,
  eventBytes: 16_384,
  bodyBytes: 65_536,
  batchEvents: 20,
  items: 30,
  steps: 5,
  documentBytes: 65_536,
  resultBytes: 4_096,
  metadataBytes: 2_048,
  streams: 20,
  jobStreams: 10,
  liveJobs: 60,
  uploadBytes: 65_536,
  publishesPerSecond: MANY,
  publishBytesPerSecond: MANY,
  createsPerSecond: MANY,
  tokensPerSecond: MANY,
  servicesPerSecond: MANY,
  requestsPerSecond: MANY,
  strangersPerSecond: MANY,
}

const docs = ['docs', 'docs/wire'].map((path) => ({ path, title: path, html: '<p></p>', sections: [] }))
const assets: Assets = { 'dashboard.js': '', 'operator.js': '', 'dashboard.css': '', 'widget.js': '', docs }

/**
 * A server in this process under a clock that stands still, with jobs of `mallory`, who asks for all kinds of things, and of `victim`, who holds
 * what nobody else may see.
 */
export class World {
  readonly app: Milepost
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly acknowledged = new Acknowledged(worldLimits, RETENTION_SECONDS)
  /** What the server failed at without telling. */
  readonly failures: unknown[] = []
  /** How many requests there were, by what they were for and the status that they got: `GET /api/jobs 200`. */
  readonly counts = new Map<string, number>()
  #made = 0
  readonly #places = new Map<string, string>()
  readonly #tokens = new Map<string, string>()
  readonly #streams = new OpenStreams()
  readonly #engine: Engine
  #victim: Victim | undefined
  #session = ''
  #lastMade = 'none'

  constructor(engine: Engine, seed: number) {
    this.random = new SeededRandom(seed)
    this.#engine = engine
    this.app = createApp({
      engine,
      auth: { secret: SECRET },
      clock: this.clock,
      random: this.random,
      limits: worldLimits,
      retentionSeconds: RETENTION_SECONDS,
      origins: ['https://app.example'],
      services: createServices({ clock: this.clock, random: this.random }),
      assets,
      onError: (error) => this.failures.push(error),
    })
  }

  /** Makes the jobs of the one who is not to be seen, and the credentials of everyone. */
  async begin(): Promise<void> {
    for (const [name, token] of Object.entries(await makeTokens(this.clock.now()))) this.#tokens.set(name, token)
    this.#victim = new Victim(this.app, this.#tokens.get('victim') ?? '')
    const { places, headerToken } = await this.#victim.begin()
    for (const [name, place] of Object.entries(places)) this.#places.set(name, place)
    this.#tokens.set('header guest', headerToken)
    await this.refill()
  }

  /** A job as who may see everything sees it. */
  async #read(id: string): Promise<string> {
    const authorization = `Bearer ${this.#tokens.get('operator')}`
    const response = await this.app.request(`/api/jobs/${encodeURIComponent(id)}`, { headers: { authorization } })
    return response.status === 404 ? '' : response.text()
  }

  /** Makes again what requests have used up: jobs in each state, tokens, a session. */
  async refill(): Promise<void> {
    const wanted: Record<string, { status: string; rows?: boolean; parentId?: string }> = {
      mine0: { status: 'running', rows: true },
      mine1: { status: 'pending' },
      mine2: { status: 'completed' },
      mine3: { status: 'running', parentId: '{{mine0}}' },
    }
    for (const [place, { status, rows, parentId }] of Object.entries(wanted)) {
      const known = this.acknowledged.jobs.get(this.#places.get(place) ?? '')
      const isFit = known && !known.mayBeGone && isTerminalStatus(known.job.status) === (status === 'completed')
      if (isFit) continue
      const job: Job = JSON.parse(
        await this.#do('POST', '/api/jobs', {
          id: '{{new}}',
          kind: 'test',
          title: 'Test',
          ...(parentId ? { parentId } : {}),
        }),
      )
      this.#places.set(place, job.id)
      const events = `/api/jobs/${job.id}/events`
      if (status !== 'pending') await this.#do('POST', events, { type: 'status', status, result: { n: 1 } })
      if (rows)
        await this.#do('POST', events, [
          ...['a', 'b'].map((id) => ({ type: 'item', id, status: 'running' })),
          ...['a', 'b'].map((id) => ({ type: 'ask', id, message: 'Go on?' })),
        ])
      if (place !== 'mine0') continue
      this.#places.set('epoch', job.epoch)
      for (const can of ['watch', 'publish']) {
        const { token } = JSON.parse(await this.#do('POST', `/api/jobs/${job.id}/tokens`, { can, seconds: 2_000_000 }))
        this.#tokens.set(can === 'watch' ? 'guest' : 'publisher', token)
      }
    }
    // Now and then, for requests end it.
    if (this.#made % 8 === 0 || this.#session === '') {
      const code = this.app.createSignInCode({ sub: 'mallory', scopes: ['jobs:read', 'jobs:write'] })
      const response = await this.app.request(`/sign-in?code=${code}`)
      const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
      const list = await this.app.request('/api/sessions', { headers: { cookie } })
      const { sessions } = (await list.json()) as { sessions: { id: string; current: boolean }[] }
      this.#session = cookie
      this.#places.set('mineSession', sessions.find(({ current }) => current)?.id ?? '')
    }
    if (!this.#places.has('gone')) {
      const job: Job = JSON.parse(await this.#do('POST', '/api/jobs', { kind: 'test', title: 'Gone' }))
      await this.#do('DELETE', `/api/jobs/${job.id}`)
      this.#places.set('gone', job.id)
      const { nextCursor } = JSON.parse(await this.#do('GET', '/api/jobs?limit=1'))
      this.#places.set('listCursor', nextCursor)
    }
    await this.#addUndelivered()
    await this.#thinOut()
  }

  /** Makes a webhook that could not be delivered, unless there is one that was not sent again. */
  async #addUndelivered(): Promise<void> {
    const undelivered = new Undelivered({ notes: this.#engine.notes, clock: this.clock, random: this.random })
    const stored = await this.#engine.read(this.#places.get('mine2') ?? '')
    if (!stored) return
    const { header } = stored
    const [before] = (await undelivered.list(undefined, { limit: 1 })).undelivered
    if (before?.epoch === header.epoch) return
    if (before) await undelivered.remove(before, before.id)
    const event = { type: 'job.completed', version: header.version, occurredAt: header.updatedAt } as const
    await undelivered.add(header, { url: 'https://away.example/', ...event, at: 0, tries: 13 }, 'status 500')
    const [{ id } = { id: 'none' }] = (await undelivered.list(undefined, { limit: 1 })).undelivered
    this.#places.set('undelivered', id)
  }

  /** Keeps few jobs, so that long runs take no more than short ones; each is looked at before it goes. */
  async #thinOut(): Promise<void> {
    const placed = new Set(this.#places.values())
    for (const id of this.acknowledged.jobs.keys()) {
      if (this.acknowledged.jobs.size <= 24) return
      if (placed.has(id)) continue
      await this.#mustBeAcknowledged(id)
      await this.app.request(`/api/jobs/${id}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${this.#tokens.get('operator')}` },
      })
      this.acknowledged.jobs.delete(id)
    }
  }

  async #mustBeAcknowledged(id: string): Promise<void> {
    const text = await this.#read(id)
    const fault = this.acknowledged.compare(id, text === '' ? undefined : JSON.parse(text))
    if (fault !== undefined) throw new Error(fault)
  }

  /** A request of mallory's own, which has to be taken. */
  async #do(method: string, path: string, value?: unknown): Promise<string> {
    const body = value === undefined ? {} : { body: { type: 'application/json', content: JSON.stringify(value) } }
    const { status, text } = await this.ask({ operation: '', as: 'mallory', method, path, headers: [], ...body })
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`)
    return text
  }

  /** Makes a request, and checks what comes. @throws Error that shows the request, when it is not as it has to be */
  async ask(plan: Plan): Promise<Answer> {
    this.#made += 1
    await this.clock.advance(1)
    const at = new Date(this.clock.now()).toISOString()
    const abort = new AbortController()
    const made = this.#make(plan, abort.signal)
    const { method } = made.request
    const { pathname: path, searchParams: query } = new URL(made.request.url)
    const body = made.request.body === null ? undefined : new Uint8Array(await made.request.clone().arrayBuffer())
    const response = await within(this.app.fetch(made.request), made)
    const { status, headers } = response
    const type = headers.get('content-type')
    const outcome = `${plan.operation} ${status}`
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1)
    if (type === 'text/event-stream' && response.body) {
      this.#streams.add(made, response.body, abort)
      return { status, headers, text: '' }
    }
    const bytes = await within(response.arrayBuffer(), made)
    const answer = { status, headers, text: decodeStrictly(bytes, made) }
    const exchange = {
      method,
      path,
      query,
      type: made.request.headers.get('content-type') ?? '',
      headers: made.request.headers,
      body,
      status,
      text: answer.text,
      at,
    }
    const fault =
      (isForged(plan.as, made.request) && passes(path, answer) ? 'forged credentials pass' : undefined) ??
      faultOf({ method, path, isAdmin: made.isAdmin }, answer) ??
      this.acknowledged.learn(exchange) ??
      this.#failure()
    if (fault !== undefined) throw new Error(`${fault}\n\n${made.text}\n\n${status} ${answer.text.slice(0, 2_000)}`)
    if (method === 'POST' && path === '/api/jobs' && status === 201)
      this.#lastMade = (JSON.parse(answer.text) as Job).id
    return answer
  }

  #failure(): string | undefined {
    const failures = this.failures.splice(0)
    return failures.length > 0 ? `the server failed without telling: ${failures.map(String)}` : undefined
  }

  /** Reads what the open streams have, while others' jobs go on; then leaves them. */
  async endStreams(): Promise<void> {
    if (this.#streams.isEmpty) return
    await this.#victim?.tell()
    await this.clock.advance(40)
    await this.#streams.checkAndLeave()
    const { streams, channels } = this.app.hub.open
    if (streams + channels > 0) throw new Error(`${streams} streams and ${channels} channels are left`)
  }

  /** Looks at every job: those of others are as they were left, the rest as it was acknowledged. */
  async end(): Promise<void> {
    await this.endStreams()
    await this.#victim?.check()
    for (const id of this.acknowledged.jobs.keys()) await this.#mustBeAcknowledged(id)
    const fault = this.#failure()
    if (fault !== undefined) throw new Error(fault)
  }

  #make(plan: Plan, signal: AbortSignal): Made {
    const isAdmin = plan.as === 'operator'
    // Who may do everything is to leave alone what is looked at in the end.
    const own = (text: string) =>
      text
        .replaceAll('{{theirs', '{{mine')
        .replaceAll('{{theirSession', '{{mineSession')
        .replaceAll('victim', 'mallory')
    const fill = (text: string) => this.#fill(isAdmin ? own(text) : text)
    return make(plan, { isAdmin, credentials: this.#credentialsOf(plan.as), signal, fill })
  }

  #credentialsOf(as: string): Record<string, string> {
    if (as === 'nobody') return {}
    if (as === 'session') return { cookie: this.#session, 'sec-fetch-site': 'same-origin' }
    return { authorization: `Bearer ${this.#tokens.get(as) ?? ''}` }
  }

  #fill(text: string): string {
    return text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
      switch (name) {
        case 'new':
          return `new-${this.#made}`
        case 'code':
          return this.app.createSignInCode({ sub: 'mallory', scopes: ['jobs:read', 'jobs:write'] })
        case 'made':
          return this.#lastMade
        case 'watchToken':
          return this.#tokens.get('guest') ?? ''
        case 'headerToken':
          return this.#tokens.get('header guest') ?? ''
        case 'publishToken':
          return this.#tokens.get('publisher') ?? ''
        case 'accessToken':
          return this.#tokens.get('mallory') ?? ''
        case 'expiredToken':
          return this.#tokens.get('expired guest') ?? ''
        default:
          return this.#places.get(name) ?? 'none'
      }
    })
  }
}

/** Whether something was done. Batches of several jobs are refused one by one, within the answer. */
function passes(path: string, { status, text }: Answer): boolean {
  if (status !== 200 || !['/api/events', '/api/cloudevents'].includes(path)) return status < 400
  return [JSON.parse(text) as object | object[]].flat().some((answer) => 'version' in answer)
}

/** Credentials that nobody may get anything with. */
const forged = credentials.slice(credentials.indexOf('expired'))

/** Whether a request has such credentials, and no others, for what is not for everyone. */
function isForged(as: string, { method, url }: Request): boolean {
  const { pathname, searchParams } = new URL(url)
  const isOurs = pathname.startsWith('/api/') && method !== 'OPTIONS' && !searchParams.has('token')
  return isOurs && forged.some((name) => name === as)
}
