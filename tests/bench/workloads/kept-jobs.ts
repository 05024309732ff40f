import { Database } from 'bun:sqlite'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LoadJob } from '../load/job.ts'
import { Publishers } from '../load/publishers.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'
import { residentKib } from '../usage.ts'

/** Connections of the producers, and items of a request. */
const PUBLISHERS = 16
const BATCH = 1_000
/** Longer than what was reported waits in the log, and than memory takes to settle: milliseconds. */
const REST_MS = 2_500

/**
 * Jobs that are there, each with one report of progress, and nothing more to do: what they take in memory and on the disk. S3.
 *
 * @param options `jobs`, `items` and `watchers` of each
 */
export async function keptJobs(target: Target, options: Options): Promise<Figures> {
  const { jobs: count = 1, items = 0, watchers: perJob = 0 } = options
  const publishers = await Publishers.open(target, PUBLISHERS)
  const jobs = await Promise.all(Array.from({ length: count }, (_, at) => make(target, publishers, at, items)))
  await new Watchers(target).open(jobs, perJob)
  await Bun.sleep(REST_MS)
  return { resident: residentKib(target.pid), disk: (await storeBytes(target.store ?? '')) / 1_024 }
}

async function make(target: Target, publishers: Publishers, at: number, items: number): Promise<LoadJob> {
  const job = await LoadJob.create(target, publishers, `bench-${at}`)
  await job.publish()
  for (let first = 0; first < items; first += BATCH) {
    const events = Array.from({ length: Math.min(BATCH, items - first) }, (_, index) => itemEvent(first + index))
    await job.send(`[${events.join(',')}]`, events.length)
  }
  return job
}

/** An event of about a hundred bytes that makes an item. */
const itemEvent = (number: number) =>
  `{"type":"item","id":"item-${number}","status":"running","label":"archive/shelf-${number % 40}/file-${number}.tiff"}`

/** The size of a database that another process keeps to itself: of a copy, with what is in its log. */
async function storeBytes(path: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
  try {
    const copy = join(folder, 'copy.db')
    for (const suffix of ['', '-wal']) await copyFile(path + suffix, copy + suffix)
    const db = new Database(copy)
    const pragma = (name: string) => Number(Object.values(db.query(`PRAGMA ${name}`).get() ?? {})[0])
    const bytes = pragma('page_count') * pragma('page_size')
    db.close()
    return bytes
  } finally {
    await rm(folder, { recursive: true })
  }
}
