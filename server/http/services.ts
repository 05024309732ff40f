import type { JobHeader } from '../../shared/document/job.ts'
import { qualify } from '../../shared/document/tenant.ts'
import { fullName, type Principal, requireScope } from '../auth/access.ts'
import { problems, refuse } from '../errors.ts'
import type { JobEventEmitter } from '../jobs/emitter.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { Services } from '../services/kit/service.ts'
import { readForm } from './body/form.ts'
import { onlyTypes, saysAtMost } from './body/validation.ts'
import { type App, counted, linkTo, type RouteContext } from './request/context.ts'

/** Starts a service for a principal, as a job of its own. */
export type StartService = (
  principal: Principal,
  name: string,
  /** The form, or a function that reads it once a place is reserved. */
  form: FormData | (() => Promise<FormData>),
) => Promise<JobHeader>

/** Work whose process was killed shows as stalled after this time, and fails later. */
const HEARTBEAT_SECONDS = 60
/** Longest pause of a service, which keeps its upload in memory meanwhile: milliseconds. */
const LONGEST_PAUSE_MS = 3_600_000

/** Creates the function that starts services, within the limits of running ones. */
export function createStartService(
  jobs: Jobs,
  emitter: JobEventEmitter,
  services: Services,
  perPrincipal: number,
): StartService {
  const places = new ServicePlaces(perPrincipal)
  return async (principal, name, form) => {
    const service = Object.hasOwn(services, name) ? services[name] : undefined
    if (!service) throw refuse({ ...problems.notFound(), detail: `There is no service "${name}".` })
    const leave = places.take(fullName(principal))
    try {
      const { run, ...job } = await service.prepare(typeof form === 'function' ? await form() : form)
      const { header } = await jobs.create(principal, { ...job, heartbeatSeconds: HEARTBEAT_SECONDS })
      // The response doesn't wait for the work.
      const id = qualify(principal.tenant, header.id)
      const terms = { longestPauseMs: LONGEST_PAUSE_MS, heartbeatSeconds: HEARTBEAT_SECONDS }
      const work = emitter.run(id, (control) => run(id, control), terms)
      void work.finally(leave)
      return header
    } catch (error) {
      leave()
      throw error
    }
  }
}

/** The routes of the reference services: an upload starts a job. */
export function serviceRoutes(app: App, { clock, limits, rates }: RouteContext, start: StartService): void {
  // Middleware reads no upload: it takes memory only once a place is reserved.
  const uploads = [saysAtMost(limits.uploadBytes), onlyTypes('multipart/form-data')] as const
  const reading = { mostBytes: limits.uploadBytes, mostParts: limits.formParts, clock }
  app.post('/api/services/:name', counted(rates, 'servicesPerSecond'), ...uploads, async (c) => {
    requireScope(c.get('principal'), 'jobs:write')
    const read = () => readForm(c, reading)
    const header = await start(c.get('principal'), c.req.param('name'), read)
    return c.json(header, 202, { location: linkTo(c, `/api/jobs/${header.id}`) })
  })
}

/** Most services running at once in total: each holds its upload in memory. */
const PLACES = 16

/** Limits running services. Each has a place from before its upload is read until its job has ended, paused or not. */
class ServicePlaces {
  readonly #perPrincipal: number
  readonly #taken = new Map<string, number>()
  #all = 0

  constructor(perPrincipal: number) {
    this.#perPrincipal = perPrincipal
  }

  /**
   * Reserves a place for a principal.
   *
   * @param who the principal's full name
   * @returns a function that releases it
   * @throws ProblemError 429 at the principal's limit; 503 at the total limit
   */
  take(who: string): () => void {
    const own = this.#taken.get(who) ?? 0
    if (own >= this.#perPrincipal) {
      throw refuse(
        problems.tooMany(
          'services',
          `You already run ${own} services, the most at once. Cancel one, or wait. Paused ones count.`,
        ),
      )
    }
    if (this.#all >= PLACES) throw refuse(problems.unavailable('All places for services are taken. Try again later.'))
    this.#taken.set(who, own + 1)
    this.#all += 1
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      this.#all -= 1
      const rest = (this.#taken.get(who) ?? 1) - 1
      if (rest > 0) this.#taken.set(who, rest)
      else this.#taken.delete(who)
    }
  }
}
