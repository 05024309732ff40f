import type { Context } from 'hono'
import { type Cursor, parseCursor } from '../../shared/document/cursor.ts'
import { isAnyJobId } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { ownerQuerySchema } from '../../shared/wire/api.ts'
import { fullName, grantFor, type Principal } from '../auth/access.ts'
import { ProblemError, problems, refuse } from '../errors.ts'
import type { Followed } from '../hub/hub.ts'
import type { Access } from '../hub/stream/event-stream.ts'
import type { StoredJob, View } from '../jobs/engine.ts'
import { versionHeld } from '../jobs/paging/paging.ts'
import type { App, Env, RouteContext } from './request/context.ts'
import { viewFor, viewOf } from './request/request-parameters.ts'
import { answerStream, viewerOf } from './stream-response.ts'

/** Most jobs named by one stream. */
const JOBS_PER_STREAM = 100

/** The routes of event streams: of one job, of several, of the jobs of an owner. */
export function progressRoutes(app: App, { hub, jobs, metrics, rates, turns }: RouteContext): void {
  app.get('/api/jobs/:id/progress', async (c) => {
    const principal = c.get('principal')
    const id = c.req.param('id')
    const asked = viewOf(c)
    const stored = await jobs.read(principal, id)
    const { view, ...access } = accessTo(principal, stored, asked)
    const { version, status } = stored.header
    const cursor = usable(parseCursor(c.req.header('last-event-id') || c.req.query('since')), stored)
    // No message will follow: 204 stops an EventSource (WHATWG HTML, 9.2.3).
    if (isTerminalStatus(status) && cursor.version === version) return c.body(null, 204)
    if (cursor.version > 0) metrics.count('streams_resumed')
    return answerStream(c, () => hub.openJob(id, view, cursor, viewerOf(c, principal, access)))
  })

  app.get('/api/progress', async (c) => {
    const principal = c.get('principal')
    const asked = viewOf(c)
    const named = c.req.queries('job') ?? principal.jobs?.map(({ job }) => job)
    if (named) {
      if (ownerIn(c) !== undefined) throw refuse(problems.invalid([{ field: 'owner', detail: 'does not go with job' }]))
      const followed = await readAll(principal, named, asked)
      if (followed.some((job) => (job.cursor?.version ?? 0) > 0)) metrics.count('streams_resumed')
      return answerStream(c, () => hub.openJobs(followed, viewerOf(c, principal)))
    }
    const owner = jobs.ownerOf(principal, ownerIn(c))
    const parent = c.req.query('parent')
    if (parent !== undefined && !isAnyJobId(parent)) {
      throw refuse(problems.invalid([{ field: 'parent', detail: 'is not a job id' }]))
    }
    if (c.req.header('last-event-id')) metrics.count('streams_resumed')
    const { expiresAt, session } = principal
    return answerStream(c, () => hub.openOwner(owner, parent, viewerOf(c, principal, { expiresAt, session })))
  })

  /** Reads the jobs of `?job=ID` and `?job=ID@CURSOR`. Marks missing ones as gone. @throws ProblemError 404 if all are missing */
  async function readAll(principal: Principal, named: string[], asked: View): Promise<Followed[]> {
    if (named.length > JOBS_PER_STREAM) {
      throw refuse(problems.invalid([{ field: 'job', detail: `may be given at most ${JOBS_PER_STREAM} times` }]))
    }
    // The request itself was counted, and may have been the last.
    if (named.length > 1) rates.take(principal, 'requestsPerSecond', named.length - 1)
    const followed = new Map<string, Followed>()
    for (const name of named) {
      const [id = '', cursor] = name.split('@')
      try {
        const read = () => jobs.read(principal, id)
        // Headers that are not cached take long to parse if there are many.
        const stored = await (turns ? turns.run(fullName(principal), read) : read())
        const since = usable(parseCursor(cursor), stored)
        const { owner } = stored.header
        followed.set(id, { id, owner, cursor: since, ...accessTo(principal, stored, asked) })
      } catch (error) {
        if (!(error instanceof ProblemError) || error.problem.status !== 404) throw error
        followed.set(id, { id, gone: true })
      }
    }
    const all = [...followed.values()]
    if (all.every(({ gone }) => gone)) throw refuse(problems.notFound())
    return all
  }
}

/** @throws ProblemError 422 for an invalid name */
function ownerIn(c: Context<Env>): string | undefined {
  const parsed = ownerQuerySchema.optional().safeParse(c.req.query('owner'))
  if (parsed.success) return parsed.data
  throw refuse(problems.invalid([{ field: 'owner', detail: 'must have 1 to 512 characters, or be left out' }]))
}

/** The client's position in the job's current epoch: version 0 if its cursor is of another history or ahead of the job. */
function usable(cursor: Cursor | undefined, stored: StoredJob): Cursor {
  return { epoch: stored.header.epoch, version: versionHeld(cursor, stored) }
}

/** The view of the job that the principal may have, and when its access ends. */
function accessTo(principal: Principal, stored: StoredJob, asked: View): Access & { view: View } {
  const grant = grantFor(principal, stored)
  const { expiresAt, session } = grant ?? principal
  return { view: viewFor(asked, grant), expiresAt, session, tokenSeries: grant?.series }
}
