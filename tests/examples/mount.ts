/** Milepost inside somebody's own app: `bun mount.ts PORT SECRET`. A service in the same process reports with the emit helpers. */
import { Hono } from 'hono'
import { assets } from 'milepost/assets'
import { MemoryEngine } from 'milepost/engines/memory'
import { createApp, emitItem, emitProgress, setJobEvents } from 'milepost/server'

const [port = '', secret = ''] = process.argv.slice(2)
const progress = createApp({ engine: new MemoryEngine(), auth: { secret }, assets })
setJobEvents(progress.jobs)

const app = new Hono()
app.get('/', (c) => c.text('Our own page'))
app.post('/orders/:order/ship', async (c) => {
  const title = `Ship order ${c.req.param('order')}`
  const { id } = await progress.jobs.create({ owner: 'ada', kind: 'shipping', title })
  void progress.jobs.run(id, () => ship(id))
  return c.redirect(`/progress/jobs/${id}`, 303)
})
app.route('/progress', progress)

/** Knows nothing of servers, and runs the same without one. */
async function ship(jobId: string): Promise<{ parcels: number }> {
  const parcels = ['a', 'b', 'c']
  for (const [index, parcel] of parcels.entries()) {
    emitItem(jobId, { id: parcel, status: 'succeeded' })
    emitProgress(jobId, { done: index + 1, total: parcels.length, unit: 'parcels' })
  }
  return { parcels: parcels.length }
}

const server = Bun.serve({ port, hostname: '127.0.0.1', fetch: app.fetch })
console.log(`listens on ${server.url.href}`)
