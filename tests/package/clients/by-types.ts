/** A round trip by openapi-fetch, with the types that openapi-typescript has made. */
import createClient from 'openapi-fetch'
import { server, token } from './settings.ts'
import type { paths } from './types.ts'

const client = createClient<paths>({ baseUrl: server, headers: { authorization: `Bearer ${token}` } })

const { data: created, error } = await client.POST('/api/jobs', { body: { kind: 'export', title: 'By types' } })
if (!created) throw new Error(error?.detail)
const path = { id: created.id }
const { data: receipt } = await client.POST('/api/jobs/{id}/events', {
  params: { path },
  body: [
    { type: 'status', status: 'running' },
    { type: 'progress', done: 13, total: 100, unit: 'rows' },
  ],
})
const { data: job } = await client.GET('/api/jobs/{id}', { params: { path } })
const { data: list } = await client.GET('/api/jobs', { params: { query: { kind: 'export', limit: 10 } } })
const { data: cancelled } = await client.POST('/api/jobs/{id}/cancel', { params: { path } })
const { error: missing } = await client.GET('/api/jobs/{id}', { params: { path: { id: 'missing' } } })
console.log(
  JSON.stringify({
    version: receipt?.version,
    done: job && 'progress' in job ? job.progress.done : undefined,
    isListed: list?.jobs.some(({ id }) => id === created.id),
    cancelRequested: cancelled?.cancelRequested,
    missing: missing?.status,
  }),
)
