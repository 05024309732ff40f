import { Hono } from 'hono'
import { getPath } from 'hono/utils/url'
import type { Milepost } from './app.ts'
import { problems } from './errors.ts'
import { problemResponse } from './routes/problem-response.ts'

/** What answers requests; `env` is what the runtime gives with them. */
export type Serve = (request: Request, env?: unknown) => Response | Promise<Response>

/**
 * Serves an app under a path: `/mp`, or `` for the root. A proxy may leave the path on what it passes on, or take it off: what does not
 * begin with it is taken for what was under it.
 */
export function serveAt(basePath: string, app: Milepost): Serve {
  if (basePath === '') return (request, env) => app.fetch(request, env)
  const outer = new Hono({
    getPath: (request) => {
      const path = getPath(request)
      return path === basePath || path.startsWith(`${basePath}/`) ? path : basePath + path
    },
  })
  outer.route(basePath, app)
  outer.notFound((c) => problemResponse(c, problems.nothingHere()))
  return (request, env) => outer.fetch(request, env as object)
}
