import { createEventSchema, type ProducerEvent } from '../../shared/document/events.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import type { Limits } from '../../shared/document/limits.ts'
import type { Sent } from '../../shared/producer/batcher.ts'
import { failureOf } from '../../shared/producer/http-sender.ts'
import type { Clock, Random } from '../../shared/time/clock.ts'
import { type CreateJob, createRequestSchemas } from '../../shared/wire/api.ts'
import { flawOfIdentity, type Principal } from '../auth/access.ts'
import { fieldErrors, ProblemError, problems, refuse } from '../errors.ts'
import { type Asked, JobEventEmitter } from './emitter.ts'
import type { Change, Engine, Unwatch } from './engine.ts'
import { FLUSH_MS, type Jobs } from './jobs.ts'
import { qualifyHeader } from './tenant-documents.ts'

interface AppJobsContext {
  jobs: Jobs
  engine: Engine
  limits: Limits
  clock: Clock
  random: Random
}

/** A job to create in this process. */
type AppJob = CreateJob & {
  owner: string
  /** The tenant of the owner, if it is in one. */
  tenant?: string | undefined
}

/** The principal that publishes for work in this process, in all tenants. */
const server: Principal = { sub: 'milepost', scopes: ['jobs:admin'] }

/** Creates jobs, and reports on them, from within the server's process. */
export class AppJobs extends JobEventEmitter {
  readonly #jobs: Jobs
  readonly #schema: ReturnType<typeof createRequestSchemas>['createJob']

  constructor({ jobs, engine, limits, clock, random }: AppJobsContext) {
    const schema = createEventSchema(limits)
    super({
      clock,
      random,
      validate: (event) => schema.safeParse(event).data,
      publish: (jobId, events, key) => publishOnce(jobs, jobId, events, key),
      watch: (jobId, wake) => watchRequests(engine, jobId, wake),
    })
    this.#jobs = jobs
    this.#schema = createRequestSchemas(limits).createJob
  }

  /**
   * Creates a job of an owner. It counts against the owner's quotas.
   *
   * In a tenant, the names in the answer are qualified, as the other functions take them: `acme::export-7`. There, the job's id is `export-7`.
   *
   * @param key the same key, owner and job return the job that was created before
   * @throws ProblemError 409 when the id is taken, 422 for invalid fields, 429 over a quota, 503 or 507 when the store fails
   */
  async create({ tenant, ...job }: AppJob, key?: string): Promise<JobHeader> {
    const parsed = this.#schema.safeParse(job)
    if (!parsed.success) throw refuse(problems.invalid(fieldErrors(parsed.error)))
    const flaw = flawOfIdentity(job.owner, tenant)
    if (flaw !== undefined)
      throw refuse(problems.invalid([{ field: tenant === undefined ? 'owner' : 'tenant', detail: flaw }]))
    const owner: Principal = { sub: job.owner, tenant, scopes: ['jobs:write'] }
    const { header } = await this.#jobs.create(owner, parsed.data, key)
    return qualifyHeader(tenant, header)
  }
}

/** Subscribes to the requests of a job's watchers, again when the subscription is lost. */
async function watchRequests(engine: Engine, job: string, wake: (asked: Asked) => void): Promise<Unwatch> {
  let unwatch: Unwatch | undefined
  let isOver = false
  const subscribe = async (isAnew: boolean): Promise<void> => {
    const onChange = ({ header, removed }: Change) => {
      if (removed) wake({ cancelRequested: true, pauseRequested: false })
      else if (header) wake(header)
    }
    // Where that fails, receipts have the requests.
    const onLost = () => void (isOver || subscribe(true).catch(() => {}))
    unwatch = await engine.watch({ job }, onChange, onLost)
    if (isOver) return unwatch()
    // A request may have been made before the subscription.
    const stored = await engine.read(job).catch(() => undefined)
    if (stored && !isOver) wake({ ...stored.header, isAnew })
  }
  await subscribe(false)
  return () => {
    isOver = true
    unwatch?.()
  }
}

async function publishOnce(jobs: Jobs, jobId: string, events: ProducerEvent[], key: string): Promise<Sent> {
  try {
    // A retry of the emitter is the same batch, so its key serves as the digest.
    const receipt = await jobs.publish(server, jobId, events, { key, digest: key })
    // In this process a batch costs little, so new watchers don't have to wait.
    return { receipt: { ...receipt, flushMs: FLUSH_MS.watched } }
  } catch (error) {
    return error instanceof ProblemError
      ? failureOf(error.problem.status, error.message, error.problem.jobStatus)
      : { retry: true }
  }
}
