import { undeliveredIdSchema, undeliveredQuerySchema, webhookSecretQuerySchema } from '../../shared/wire/webhooks.ts'
import { problems, refuse } from '../errors.ts'
import { recordAct } from './audit.ts'
import { valid } from './body/validation.ts'
import type { App, RouteContext } from './request/context.ts'

/** The routes of webhooks: the secret of their signatures, and what could not be delivered. */
export function webhookRoutes(app: App, context: RouteContext): void {
  const { webhooks } = context
  const unstored = { 'cache-control': 'no-store' }

  app.get('/api/webhooks/secret', valid('query', webhookSecretQuerySchema), async (c) => {
    const secret = await webhooks.secret(c.get('principal'), c.req.valid('query').of)
    return c.json({ secret }, 200, unstored)
  })

  app.get('/api/webhooks/undelivered', valid('query', undeliveredQuerySchema), async (c) => {
    return c.json(await webhooks.listUndelivered(c.get('principal'), c.req.valid('query')), 200, unstored)
  })

  app.post('/api/webhooks/undelivered/:id/send', async (c) => {
    const id = undeliveredIdSchema.safeParse(c.req.param('id'))
    if (!id.success) throw refuse(problems.nothingHere())
    const { job } = await webhooks.sendAgain(c.get('principal'), id.data)
    recordAct(c, context, { action: 'webhook-resent', job })
    return c.body(null, 202)
  })
}
