import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { LoadJob } from '../load/job.ts'
import { Latencies } from '../load/latencies.ts'
import { Publishers } from '../load/publishers.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'

/** What a commit of one event appends to a log: a page and its header. Bytes. */
const COMMIT_BYTES = 4_120

/** A file beside a store, to time the disk with. */
class SyncedFile {
  readonly #path: string
  readonly #file: number
  readonly #bytes = new Uint8Array(COMMIT_BYTES).fill(1)

  constructor(folder: string) {
    this.#path = join(folder, `sync-${process.pid}`)
    this.#file = openSync(this.#path, 'w')
  }

  /** Appends and syncs. @returns how long that took: milliseconds */
  sync(): number {
    const begun = performance.now()
    writeSync(this.#file, this.#bytes)
    fdatasyncSync(this.#file)
    return performance.now() - begun
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
    rmSync(this.#path)
  }
}

/** Between two events: longer than any frame, so that each is the first after quiet. Milliseconds. */
const QUIET_MS = 40

/**
 * One job, one watcher, one event at a time on a server that has nothing else to do: how long until it is acknowledged, and until it is
 * seen. Beside each, how long the disk of the store takes to sync a write as long as a commit.
 *
 * @param options `events`
 */
export async function quiet(target: Target, { events = 1 }: Options): Promise<Figures> {
  const publishers = await Publishers.open(target, 1)
  const job = await LoadJob.create(target, publishers, 'bench')
  const watchers = new Watchers(target)
  await watchers.open([job], 1)
  const acknowledged = new Latencies()
  const syncs = new Latencies()
  using disk = new SyncedFile(dirname(target.store ?? join(tmpdir(), 'none')))
  for (let event = -20; event < events; event++) {
    // What is loaded and compiled at first is not what it is like.
    if (event === 0) {
      acknowledged.clear()
      syncs.clear()
      watchers.latencies.clear()
    }
    const begun = performance.now()
    await job.publish()
    acknowledged.add(performance.now() - begun)
    await Bun.sleep(QUIET_MS / 2)
    syncs.add(disk.sync())
    await Bun.sleep(QUIET_MS / 2)
  }
  await watchers.settle()
  const [acknowledged50, acknowledged99] = [acknowledged.quantile(0.5), acknowledged.quantile(0.99)]
  const [sync50, sync99] = [syncs.quantile(0.5), syncs.quantile(0.99)]
  return {
    ...{ acknowledged50, acknowledged99, sync50, sync99 },
    beyond50: acknowledged50 - sync50,
    ratio99: acknowledged99 / sync99,
    p50: watchers.latencies.quantile(0.5),
    p99: watchers.latencies.quantile(0.99),
    lost: watchers.lost,
    duplicated: watchers.duplicated,
  }
}
