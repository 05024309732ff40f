import { Hono } from 'hono'
import { sign } from 'hono/jwt'
import type { Job } from 'milepost'
import { createApp, type Engine } from 'milepost/server'

/** Mounts Milepost on an engine in an app of one's own, and reports on a job there. Answers what its owner then sees. */
export async function reportOn(engine: Engine): Promise<string> {
  const secret = 'a secret of a consumer of the package'
  const milepost = createApp({ engine, auth: { secret } })
  const app = new Hono().route('/progress', milepost)
  const exp = Math.floor(Date.now() / 1_000) + 3_600
  const token = await sign({ sub: 'ada', scope: 'jobs:read jobs:write', exp }, secret, 'HS256')
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const post = async (path: string, body: object) =>
    await app.request(path, { method: 'POST', headers, body: JSON.stringify(body) })
  try {
    await post('/progress/api/jobs', { id: 'import-1', kind: 'import', title: 'Customers' })
    await post('/progress/api/jobs/import-1/events', { type: 'progress', done: 13, total: 100 })
    const answer = await app.request('/progress/api/jobs/import-1', { headers })
    const { version, progress } = (await answer.json()) as Job
    return `${engine.name}: version ${version}, ${progress.done} of ${progress.total}`
  } finally {
    await milepost.close()
    await engine.close()
  }
}
