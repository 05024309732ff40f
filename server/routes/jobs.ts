import { createRequestSchemas, listQuerySchema } from '../../shared/api.ts'
import { type Cursor, formatCursor, parseCursor } from '../../shared/cursor.ts'
import type { Patch } from '../../shared/job.ts'
import { isTerminalStatus } from '../../shared/selectors.ts'
import type { View } from '../engine.ts'
import { problems, refuse } from '../errors.ts'
import { snapshotOf } from '../hub/messages.ts'
import type { Operation } from '../jobs.ts'
import { startOf } from '../paging.ts'
import { type App, linkTo, type RouteContext } from './context.ts'
import { idempotencyKey } from './idempotency-key.ts'
import { atMost, onlyTypes, onlyUtf8, valid } from './validation.ts'
import { viewOf } from './view.ts'

/** Seconds after which a client that can't stream does well to ask again. */
const POLL_AFTER = '2'

/** Jobs: created, listed, read, controlled, shared, removed. */
export function jobRoutes(app: App, { engine, jobs, limits }: RouteContext): void {
  const schemas = createRequestSchemas(limits)
  const smallJson = [atMost(limits.eventBytes), onlyTypes('application/json'), onlyUtf8] as const

  app.post('/api/jobs', ...smallJson, valid('json', schemas.createJob), async (c) => {
    const key = idempotencyKey(c, schemas.idempotencyKey)
    const { header, created } = await jobs.create(c.get('principal'), c.req.valid('json'), key)
    const job = created ? { ...header, steps: [], items: [], errors: [], logs: [] } : await document(header.id)
    return c.json(job, created ? 201 : 200, { location: linkTo(c, `/api/jobs/${header.id}`) })
  })

  app.get('/api/jobs', valid('query', listQuerySchema), async (c) => {
    const { parent, status, kind, cursor, limit } = c.req.valid('query')
    const query = { limit, ...defined({ parentId: parent, status, kind, cursor }) }
    return c.json(await jobs.list(c.get('principal'), query), 200, { 'cache-control': 'no-store' })
  })

  app.get('/api/jobs/:id', async (c) => {
    const id = c.req.param('id')
    const view = viewOf(c)
    const stored = await jobs.read(c.get('principal'), id)
    const etag = (version: number) => `W/"${formatCursor({ epoch: stored.header.epoch, version })}"`
    const headers: Record<string, string> = { 'cache-control': 'private, no-cache' }
    if (!isTerminalStatus(stored.header.status)) headers['retry-after'] = POLL_AFTER
    if (matches(c.req.header('if-none-match'), etag(stored.header.version))) {
      return c.body(null, 304, { ...headers, etag: etag(stored.header.version) })
    }
    const since = parseCursor(c.req.query('since'))
    const cursor = since && startOf(since, stored) > 0 ? since : undefined
    const patch = await changes(id, view, cursor)
    // Deleted since it was read, and made again by someone else, perhaps.
    if (patch.job.epoch !== stored.header.epoch) throw refuse(problems.notFound())
    headers.etag = etag(patch.to)
    return c.json(cursor ? patch : snapshotOf(patch, view), 200, headers)
  })

  async function changes(id: string, view: View, cursor: Cursor | undefined): Promise<Patch> {
    const patch = await engine.changesSince(id, cursor, { view, maxBytes: Number.POSITIVE_INFINITY })
    if (!patch) throw refuse(problems.notFound())
    return patch
  }

  const document = async (id: string) => snapshotOf(await changes(id, 'all', undefined), 'all')

  app.delete('/api/jobs/:id', async (c) => {
    await jobs.remove(c.get('principal'), c.req.param('id'))
    return c.body(null, 204)
  })

  for (const operation of ['cancel', 'pause', 'resume'] satisfies Operation[]) {
    app.post(`/api/jobs/:id/${operation}`, async (c) => {
      return c.json(await jobs.operate(c.get('principal'), c.req.param('id'), operation), 202)
    })
  }

  app.post('/api/jobs/:id/tokens', ...smallJson, valid('json', schemas.createToken), async (c) => {
    const request = c.req.valid('json')
    const id = c.req.param('id')
    const { token, expiresAt } = await jobs.share(c.get('principal'), id, request)
    const path = request.can === 'watch' ? `/api/jobs/${id}/progress?token=${token}` : `/api/jobs/${id}/events`
    const url = new URL(linkTo(c, path), c.req.url).href
    return c.json({ token, expiresAt, url }, 201, { 'cache-control': 'no-store' })
  })
}

/** `If-None-Match` compares weakly (RFC 9110, 13.1.2). */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const strong = (tag: string) => tag.trim().replace(/^W\//, '')
  return header.trim() === '*' || header.split(',').some((tag) => strong(tag) === strong(etag))
}

/** An object without its undefined fields. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof defined<T>
  >
}
