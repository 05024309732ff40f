import type { Context } from 'hono'
import { type Cursor, formatCursor, parseCursor } from '../../shared/document/cursor.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { createRequestSchemas, listQuerySchema, removeQuerySchema } from '../../shared/wire/api.ts'
import { fullName, grantFor } from '../auth/access.ts'
import { problems, refuse } from '../errors.ts'
import { snapshotOf } from '../hub/stream/messages.ts'
import type { Operation, View } from '../jobs/engine.ts'
import { encodeInSlices, LargeDocuments } from '../jobs/paging/large-documents.ts'
import { versionHeld } from '../jobs/paging/paging.ts'
import { recordAct } from './audit.ts'
import { atMost, onlyTypes, onlyUtf8, valid } from './body/validation.ts'
import { listPage } from './list-page.ts'
import { type App, absoluteLinkTo, counted, type Env, keepAlive, linkTo, type RouteContext } from './request/context.ts'
import { idempotencyKey, matchesEtag, viewFor, viewOf } from './request/request-parameters.ts'

/** Recommended polling interval of clients that can't stream: seconds. */
const POLL_AFTER = '2'

/** The routes to create, list, read, control, share and remove jobs. */
export function jobRoutes(app: App, context: RouteContext): void {
  const { engine, front, jobs, limits, clock, rates, turns, onError } = context
  const documents = new LargeDocuments(engine, clock)
  const schemas = createRequestSchemas(limits)
  const smallJson = [atMost(limits.eventBytes, clock), onlyTypes('application/json'), onlyUtf8(clock)] as const
  const creates = [counted(rates, 'createsPerSecond'), ...smallJson] as const
  const tokens = [counted(rates, 'tokensPerSecond'), ...smallJson] as const

  /** `Date` of the trusted clock, because clients that poll use it as the server's time. */
  const date = () => new Date(clock.now()).toUTCString()

  app.post('/api/jobs', ...creates, valid('json', schemas.createJob), async (c) => {
    const key = idempotencyKey(c.req.header('idempotency-key'), schemas.idempotencyKey)
    const { tenant } = c.get('principal')
    for (;;) {
      const { header, created } = await jobs.create(c.get('principal'), c.req.valid('json'), key)
      const headers = { location: linkTo(c, `/api/jobs/${header.id}`) }
      if (created) return c.json({ ...header, steps: [], items: [], errors: [], logs: [] }, 201, headers)
      const read = await documents.read(tenant, header.id, undefined, 'all')
      if (read?.patch.job.epoch === header.epoch) return answer(c, snapshotOf(read.patch, 'all'), read.release, headers)
      // The job was removed meanwhile, and another principal may have created the id again: handle the request anew.
      read?.release?.()
    }
  })

  app.get('/api/jobs', valid('query', listQuerySchema), async (c) => {
    const { owner, parent, status, kind, q, cursor, limit } = c.req.valid('query')
    const principal = c.get('principal')
    const list = await jobs.openList(principal, defined({ owner, parentId: parent, status, kind, q, cursor }))
    const page = await listPage(list, limit, fullName(principal), turns)
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', date: date() }
    return c.body(page, 200, headers)
  })

  app.delete('/api/jobs', valid('query', removeQuerySchema), (c) => {
    const principal = c.get('principal')
    const { owner, status } = c.req.valid('query')
    const removed = jobs.removeEnded(principal, c.req.valid('query')).catch(onError)
    keepAlive(c, removed)
    const which = status === undefined ? {} : { jobStatus: status }
    recordAct(c, context, { action: 'jobs-deleted', for: owner ?? principal.sub, ...which })
    return c.body(null, 202)
  })

  app.get('/api/jobs/:id', async (c) => {
    const id = c.req.param('id')
    const asked = viewOf(c)
    const principal = c.get('principal')
    const stored = await jobs.read(principal, id)
    const view = viewFor(asked, grantFor(principal, stored))
    // The response depends on the principal.
    c.header('vary', 'Authorization', { append: true })
    const headers: Record<string, string> = { 'cache-control': 'private, no-cache', date: date() }
    if (!isTerminalStatus(stored.header.status)) headers['retry-after'] = POLL_AFTER
    if (matchesEtag(c.req.header('if-none-match'), etagOf(stored.header))) {
      return c.body(null, 304, { ...headers, etag: etagOf(stored.header) })
    }
    const since = parseCursor(c.req.query('since'))
    const cursor = since && versionHeld(since, stored) > 0 ? since : undefined
    const { patch, release } = await changes(principal.tenant, id, view, cursor)
    // The job was removed since the access check, and another principal may have created the id again.
    if (patch.job.epoch !== stored.header.epoch) {
      release?.()
      throw refuse(problems.notFound())
    }
    headers.etag = etagOf(patch.job)
    return answer(c, cursor ? patch : snapshotOf(patch, view), release, headers)
  })

  app.get('/api/jobs/:id/retries', async (c) => {
    const retries = await jobs.retriesOf(c.get('principal'), c.req.param('id'))
    return c.json({ jobs: retries }, 200, { 'cache-control': 'private, no-cache' })
  })

  async function changes(tenant: string | undefined, id: string, view: View, cursor: Cursor | undefined) {
    const read = await documents.read(tenant, id, cursor, view)
    if (!read) throw refuse(problems.notFound())
    return read
  }

  app.delete('/api/jobs/:id', async (c) => {
    const job = c.req.param('id')
    const { owner } = await jobs.remove(c.get('principal'), job)
    recordAct(c, context, { action: 'job-deleted', job, for: owner })
    return c.body(null, 204)
  })

  for (const operation of ['cancel', 'pause', 'resume'] satisfies Operation[]) {
    app.post(`/api/jobs/:id/${operation}`, async (c) => {
      return c.json(await jobs.operate(c.get('principal'), c.req.param('id'), operation), 202)
    })
  }

  app.post('/api/jobs/:id/answers/:ask', ...smallJson, valid('json', schemas.answer), async (c) => {
    const { id, ask } = c.req.param()
    const { value, message } = c.req.valid('json')
    const header = await jobs.answer(c.get('principal'), id, ask, value, message)
    recordAct(c, context, { action: 'ask-answered', job: id, for: header.createdBy })
    return c.json(header, 202)
  })

  app.post('/api/jobs/:id/tokens', ...tokens, valid('json', schemas.createToken), async (c) => {
    const request = c.req.valid('json')
    const id = c.req.param('id')
    const { token, expiresAt } = await jobs.share(c.get('principal'), id, request)
    const path = request.can === 'watch' ? `/api/jobs/${id}/progress?token=${token}` : `/api/jobs/${id}/events`
    const url = absoluteLinkTo(c, front, path)
    recordAct(c, context, { action: 'token-created', job: id, can: request.can, expiresAt })
    return c.json({ token, expiresAt, url }, 201, { 'cache-control': 'no-store' })
  })

  app.delete('/api/jobs/:id/tokens', async (c) => {
    const job = c.req.param('id')
    await jobs.endTokens(c.get('principal'), job)
    recordAct(c, context, { action: 'tokens-revoked', job })
    return c.body(null, 204)
  })
}

const etagOf = (job: Cursor) => `W/"${formatCursor(job)}"`

/** @param release set for a large document, which is sent in slices */
function answer(
  c: Context<Env>,
  body: object,
  release: (() => void) | undefined,
  headers: Record<string, string>,
): Response {
  if (!release) return c.json(body, 200, headers)
  // HEAD runs this handler too, and no client would read or cancel its body.
  if (c.req.method === 'HEAD') {
    release()
    return c.body(null, 200, { ...headers, 'content-type': 'application/json' })
  }
  return c.body(encodeInSlices(body, release), 200, { ...headers, 'content-type': 'application/json' })
}

/** An object without its undefined fields. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof defined<T>
  >
}
