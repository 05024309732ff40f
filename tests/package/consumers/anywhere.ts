/** What runs wherever JavaScript does: the document, and the client of those who watch and of those who report. Prints what came of it. */
import 'milepost/element'
import { getProgressPercent } from 'milepost'
import { createJobSignal, createReporter, type JobReporter } from 'milepost/client'
import { formatCursor, type JobHeader } from 'milepost/shared'

const itemCounts = { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 }
const header: JobHeader = {
  id: 'import-1',
  epoch: 'k3x9',
  version: 1,
  kind: 'import',
  title: 'Customers',
  owner: 'ada',
  createdBy: 'ada',
  status: 'running',
  progress: { done: 13, total: 100 },
  itemCounts,
  errorCount: 0,
  logCount: 0,
  cancelRequested: false,
  pauseRequested: false,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
  lastEventAt: '2026-01-01T00:00:00.000Z',
}
const receipt = { version: 2, cancelRequested: false, pauseRequested: false, watched: false, flushMs: 0 }

const requests: string[] = []
const reporter = createReporter({
  url: 'https://progress.example/',
  token: 'secret',
  fetch: async (url, { method }) => {
    requests.push(`${method} ${url}`)
    return Response.json(`${url}`.endsWith('/api/jobs') ? header : receipt)
  },
})
const job: JobReporter = reporter.create({ id: 'import-1', kind: 'import', title: 'Customers' })
job.progress({ done: 13, total: 100 })
await reporter.close()

const { percent } = createJobSignal({ jobId: 'import-1' })
const unwatched = percent.peek() ?? 'unknown'
const cursor = formatCursor({ epoch: 'k3x9', version: 42 })
console.log(JSON.stringify({ requests, percent: getProgressPercent(header), unwatched, cursor }))
