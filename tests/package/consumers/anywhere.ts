/** What runs wherever JavaScript does: the document, and the client of those who watch and of those who report. Prints what came of it. */
import 'milepost/element'
import { getProgressPercent } from 'milepost'
import { createJobSignal, createReporter, type JobReporter } from 'milepost/client'
import { formatCursor, type JobHeader } from 'milepost/shared'

const requests: string[] = []
const reporter = createReporter({
  url: 'https://progress.example/',
  token: 'secret',
  fetch: async (url, { method }) => {
    requests.push(`${method} ${url}`)
    return Response.json({ version: 2, cancelRequested: false, pauseRequested: false, watched: false, flushMs: 0 })
  },
})
const job: JobReporter = reporter.create({ id: 'import-1', kind: 'import', title: 'Customers' })
job.progress({ done: 13, total: 100 })
await reporter.close()

const itemCounts = { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 }
const header: Pick<JobHeader, 'status' | 'progress' | 'itemCounts'> = {
  status: 'running',
  progress: { done: 13, total: 100 },
  itemCounts,
}
const { percent } = createJobSignal({ jobId: 'import-1' })
const unwatched = percent.peek() ?? 'unknown'
const cursor = formatCursor({ epoch: 'k3x9', version: 42 })
console.log(JSON.stringify({ requests, percent: getProgressPercent(header), unwatched, cursor }))
