import { type ExecutionContext, Hono } from 'hono'
import { getPath } from 'hono/utils/url'
import type { Milepost } from '../../app.ts'
import { problems } from '../../errors.ts'
import { problemResponse } from './responses.ts'

/** Handles requests. `env` comes from the runtime; `context` lets work continue after the response, on Workers. */
export type Serve = (request: Request, env?: unknown, context?: ExecutionContext) => Response | Promise<Response>

/**
 * Serves an app under a path: `/mp`, or `` for the root. A proxy may strip the path, so a request without it is handled as one with it.
 */
export function serveAt(basePath: string, app: Milepost): Serve {
  if (basePath === '') return (request, env, context) => app.fetch(request, env, context)
  const outer = new Hono({
    getPath: (request) => {
      const path = getPath(request)
      return path === basePath || path.startsWith(`${basePath}/`) ? path : basePath + path
    },
  })
  outer.route(basePath, app)
  outer.notFound((c) => problemResponse(c, problems.nothingHere()))
  return (request, env, context) => outer.fetch(request, env as object, context)
}
