/** A page of an application that shows jobs: their ids, the server and the credential are in its query. Tests look at what it has. */
import { effect } from '@preact/signals-core'
import type { ConnectionStatus } from '../../client/connection/connection-state.ts'
import { createJobSignal, type JobSignal } from '../../client/signals/job-signal.ts'
import type { Job } from '../../shared/document/job.ts'

declare global {
  interface Window {
    /** What the page shows of each job: its document and the connection. */
    shown(): Record<string, [Job | undefined, ConnectionStatus]>
    /** Every status that a job had. */
    statuses: ConnectionStatus[]
    /** Errors that nobody caught. */
    uncaught: string[]
  }
}

const query = new URLSearchParams(location.search)
const baseUrl = query.get('server') ?? ''
const bearer = query.get('bearer') ?? ''
const viewer = query.get('viewer') ?? undefined
const jobs = new Map<string, JobSignal>()
window.statuses = []
window.uncaught = []
addEventListener('error', (event) => window.uncaught.push((event as ErrorEvent).message))

for (const jobId of query.getAll('job')) {
  const signals = createJobSignal({ jobId, baseUrl, bearer, viewer })
  jobs.set(jobId, signals)
  effect(() => void signals.job.value)
  effect(() => void window.statuses.push(signals.connection.value))
}
window.shown = () =>
  Object.fromEntries([...jobs].map(([id, { job, connection }]) => [id, [job.peek(), connection.peek()]]))
