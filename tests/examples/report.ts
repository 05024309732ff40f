/** A producer: `bun report.ts URL TOKEN`. Work that says how far it is, and stops when a watcher asks. */
import { createReporter } from 'milepost/client'

const [url = '', token = ''] = process.argv.slice(2)
const reporter = createReporter({ url, token })
const job = await reporter.create({ id: 'import-1', kind: 'import', title: 'Customers' })

const rows = ['Ada', 'Grace', 'Edsger', '']
job.status({ status: 'running' })
for (const [index, name] of rows.entries()) {
  if (job.signal.aborted) break
  job.item({
    id: `row ${index + 1}`,
    ...(name ? { status: 'succeeded' } : { status: 'failed', error: 'It has no name' }),
  })
  job.progress({ done: index + 1, total: rows.length, unit: 'rows' })
}
job.status({ status: job.signal.aborted ? 'cancelled' : 'completed', result: { rows: rows.length } })
await reporter.close()
