import { LoadJob } from '../load/job.ts'
import { pace } from '../load/pace.ts'
import { Publishers } from '../load/publishers.ts'
import { requestBytes } from '../load/requests.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'
import { residentKib } from '../usage.ts'

/** What fills the buffers of those who don't read: a frame's worth of long events, once a frame. Frames a second, events, bytes. */
const FILL = { perSecond: 35, events: 8, message: 8_000 }

/** How long memory is left alone before it is looked at, for what is free goes back after some seconds: milliseconds. */
const REST_MS = 6_000

/**
 * Watchers who read, and some of the same job who never do: what the others notice of them, and what each costs the server once nothing
 * more fits into its connection. Milepost alone. W7.
 *
 * @param options `watchers`, `slow`, `perSecond` events, `fillSeconds` until nothing fits, `seconds` of measure
 */
export async function slowReaders(target: Target, options: Options): Promise<Figures> {
  const { watchers: count = 1, slow = 1, perSecond = 1, fillSeconds = 1, seconds = 1 } = options
  const publishers = await Publishers.open(target, 4)

  const measure = async (job: LoadJob) => {
    const watchers = new Watchers(target)
    await watchers.open([job], count)
    await pace({ perSecond, burst: 1, seconds: 1 }, () => job.publish())
    await watchers.settle()
    watchers.latencies.clear()
    await pace({ perSecond, burst: 1, seconds }, () => job.publish())
    await watchers.settle()
    watchers.close()
    return { p99: watchers.latencies.quantile(0.99), lost: watchers.lost, duplicated: watchers.duplicated }
  }
  const fill = (job: LoadJob) => pace({ ...FILL, burst: 1, seconds: fillSeconds }, () => sendLong(job))

  const alone = await measure(await LoadJob.create(target, publishers, 'alone'))
  const job = await LoadJob.create(target, publishers, 'with-slow')
  // One that reads, so that what this costs by itself is there before memory is looked at.
  await openStream(target, job, true)
  await fill(job)
  await Bun.sleep(REST_MS)
  const before = residentKib(target.pid)
  for (let opened = 0; opened < slow; opened++) await openStream(target, job, false)
  await fill(job)
  await Bun.sleep(REST_MS)
  const kib = (residentKib(target.pid) - before) / slow
  const beside = await measure(job)
  return {
    ratio: beside.p99 / alone.p99,
    p99: beside.p99,
    p99Alone: alone.p99,
    kib,
    lost: alone.lost + beside.lost,
    duplicated: alone.duplicated + beside.duplicated,
  }
}

/** Long events that keep the document small: of one item. */
async function sendLong(job: LoadJob): Promise<void> {
  const message = 'x'.repeat(FILL.message)
  const event = JSON.stringify({ type: 'item', id: 'one', message })
  await job.send(`[${Array.from({ length: FILL.events }, () => event).join(',')}]`, FILL.events)
}

async function openStream(target: Target, job: LoadJob, reads: boolean): Promise<void> {
  await Bun.connect({
    hostname: '127.0.0.1',
    port: target.port,
    socket: {
      open(socket) {
        socket.write(requestBytes(target, 'GET', target.watchPath.replace('{job}', job.id)))
      },
      data(socket) {
        if (!reads) socket.pause()
      },
    },
  })
}
