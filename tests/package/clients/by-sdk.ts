/** A round trip by the client that @hey-api/openapi-ts has made. */
import { client } from './sdk/client.gen.ts'
import { cancelJob, createJob, followJob, listJobs, publishEvents, readJob } from './sdk/index.ts'
import { server, token } from './settings.ts'

client.setConfig({ baseUrl: server, auth: () => token })

const { data: created, error } = await createJob({ body: { kind: 'export', title: 'By SDK' } })
if (!created) throw new Error(error?.detail)
const path = { id: created.id }
const { data: receipt } = await publishEvents({
  path,
  body: [
    { type: 'status', status: 'running' },
    { type: 'progress', done: 13, total: 100, unit: 'rows' },
  ],
})
const { data: job } = await readJob({ path })
const { data: list } = await listJobs({ query: { kind: 'export', limit: 10 } })
const { data: cancelled } = await cancelJob({ path })
const { error: missing } = await readJob({ path: { id: 'missing' } })
const following = new AbortController()
const { stream } = await followJob({ path, signal: following.signal })
const { value: first } = await stream.next()
console.log(
  JSON.stringify({
    version: receipt?.version,
    done: job && 'progress' in job ? job.progress.done : undefined,
    isListed: list?.jobs.some(({ id }) => id === created.id),
    cancelRequested: cancelled?.cancelRequested,
    missing: missing?.status,
    followed: first !== undefined,
  }),
)
following.abort()
