import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onBun } from '../../support/server-process.ts'
import { milepost } from './milepost.ts'
import type { Peer } from './peer.ts'

/** Milepost with SQLite on a disk each of whose syncs takes some milliseconds longer. */
export function onSlowDisk(syncMs: number): Peer {
  return {
    name: `Milepost, sqlite, syncs of ${syncMs} ms`,
    missing: () => (Bun.which('cc') ? undefined : 'cc is not installed'),
    async start() {
      const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
      try {
        const environment = { LD_PRELOAD: await slowSync(folder), SLOW_SYNC_MS: `${syncMs}` }
        return await milepost('', onBun, environment).start()
      } finally {
        // Once it runs, it has the library in memory.
        await rm(folder, { recursive: true })
      }
    },
  }
}

/** Builds what stands in for the C library's `fsync` and `fdatasync`. Bun calls them for its own files as for SQLite's. @returns its path */
export async function slowSync(folder: string): Promise<string> {
  const library = join(folder, 'slow-sync.so')
  const source = join(import.meta.dir, 'slow-sync.c')
  const build = Bun.spawn(['cc', '-O2', '-shared', '-fPIC', '-o', library, source, '-ldl'], { stderr: 'inherit' })
  if ((await build.exited) !== 0) throw new Error('slow-sync.c could not be built')
  return library
}
