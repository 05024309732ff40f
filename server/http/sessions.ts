import { sessionQuerySchema } from '../../shared/wire/api.ts'
import { isAdmin, requireScope } from '../auth/access.ts'
import { problems, refuse } from '../errors.ts'
import type { App, RouteContext } from './context.ts'
import { valid } from './validation.ts'

/** Who is signed in: one's own sessions, or, for `jobs:admin`, those of anyone. */
export function sessionRoutes(app: App, { engine, sessions }: RouteContext): void {
  app.get('/api/sessions', valid('query', sessionQuerySchema), async (c) => {
    const principal = c.get('principal')
    requireScope(principal, 'jobs:read')
    const { sub, cursor } = c.req.valid('query')
    if (!isAdmin(principal) && sub !== undefined && sub !== principal.sub) {
      const errors = [{ field: 'sub', detail: 'takes the scope jobs:admin' }]
      throw refuse(problems.forbidden('sub: takes the scope jobs:admin. Leave it out for your own sessions.', errors))
    }
    const whose = sub ?? (isAdmin(principal) ? undefined : principal.sub)
    if (whose === undefined && engine.knowsOwnersOnly) {
      const detail = `is needed here: ${engine.name} keeps no list of everyone's sessions. Say whose.`
      throw refuse(problems.invalid([{ field: 'sub', detail }]))
    }
    const page = await sessions.list(whose, cursor)
    const listed = page.sessions.map((session) => ({ ...session, current: session.id === principal.session }))
    return c.json({ ...page, sessions: listed }, 200, { 'cache-control': 'no-store' })
  })

  app.delete('/api/sessions/:id', async (c) => {
    const principal = c.get('principal')
    requireScope(principal, 'jobs:read')
    const id = c.req.param('id')
    const sub = await sessions.subOf(id)
    const isAllowed = sub !== undefined && (sub === principal.sub || isAdmin(principal))
    if (!isAllowed || !(await sessions.end(id))) throw refuse(problems.nothingHere())
    return c.body(null, 204)
  })
}
