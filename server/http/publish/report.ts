import { requireScope } from '../../auth/access.ts'
import { problems, refuse } from '../../errors.ts'
import { refusalRecorder } from '../audit.ts'
import { EventParser } from '../body/event-parser.ts'
import type { App, RouteContext } from '../request/context.ts'
import { identify } from '../request/identify.ts'
import { ReportSocket } from './report-socket.ts'
import type { UpgradeWebSocket } from './web-socket.ts'

/**
 * The route of producers' WebSockets. Registered before the middleware of the other routes: the response of an upgrade must stay as it is.
 *
 * @param upgrade accepts a WebSocket, in the runtime's way; omitted where there is none
 */
export function reportRoutes(app: App, context: RouteContext, upgrade: UpgradeWebSocket | undefined): void {
  const { limits, onEach, rates } = context
  const parser = new EventParser(limits)

  app.get('/api/report', async (c) => {
    await onEach(c, async () => {})
    const principal = await identify(c, context)
    rates.take(principal, 'requestsPerSecond')
    if (!upgrade) throw refuse(problems.nothingHere())
    if (!principal.jobs) requireScope(principal, 'jobs:write')
    else if (principal.jobs.some(({ can }) => can !== 'publish')) {
      throw refuse(
        problems.unauthenticated('A watch token does not allow this. Use a publish token, or an access token.'),
      )
    }
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket') {
      throw refuse(problems.invalid([{ field: 'Upgrade', detail: 'must be websocket' }]))
    }
    const socket = new ReportSocket(context, principal, parser, refusalRecorder(c, context))
    try {
      return await upgrade(c, socket.events)
    } catch {
      socket.close()
      throw refuse(problems.invalid([{ field: 'Upgrade', detail: 'is not a valid WebSocket handshake' }]))
    }
  })
}
