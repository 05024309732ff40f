import { expect } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { DatabaseFiles } from '../../../../../server/engines/sqlite/file/database-files.ts'
import { openDatabase } from '../../../../../server/engines/sqlite/file/open.ts'
import { type Port, WriterThread } from '../../../../../server/engines/sqlite/thread.ts'
import { Writer } from '../../../../../server/engines/sqlite/writer.ts'

/** Runs with a path in a folder of its own, which is gone afterwards. */
export async function withPath(run: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'milepost-'))
  try {
    await run(join(folder, 'milepost.db'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs with the folder of a disk of so many bytes, which is gone afterwards. */
export async function withDisk(bytes: number, run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'milepost-disk-'))
  const mount = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder])
  expect(mount.stderr.toString()).toBe('')
  try {
    await run(folder)
  } finally {
    Bun.spawnSync(['umount', folder])
    rmSync(folder, { recursive: true })
  }
}

/** Runs with an engine on a file, as servers open it. */
export async function withEngine(
  run: (opened: { engine: SqliteEngine; path: string }) => Promise<void>,
): Promise<void> {
  await withPath(async (path) => {
    const engine = await SqliteEngine.open(path)
    try {
      await run({ engine, path })
    } finally {
      await engine.close()
    }
  })
}

/** Runs with an engine whose writer is in this thread, so that the connection behind it can be made to fail. */
export async function withWriter(
  run: (opened: { engine: SqliteEngine; writer: Writer; db: DatabaseSync; path: string }) => Promise<void>,
): Promise<void> {
  await withPath(async (path) => {
    const owned = openDatabase(path)
    const writer = new Writer(owned.db, new DatabaseFiles(owned.file))
    const port: Port = {
      postMessage(message) {
        if (message === 'close') owned.close()
        const answer = message === 'close' ? {} : typeof message === 'string' ? writer.check() : writer.commit(message)
        setImmediate(() => port.onmessage?.(new MessageEvent('message', { data: answer })))
      },
      terminate() {},
      onmessage: null,
      onerror: null,
    }
    const engine = new SqliteEngine(new WriterThread(port, owned.file))
    try {
      await run({ engine, writer, db: owned.db, path })
    } finally {
      await engine.close()
    }
  })
}

/** The pages in the write-ahead log since it was begun, each with whether it ends a transaction (sqlite.org/fileformat2.html, 4.1). */
export function logFrames(path: string): boolean[] {
  const bytes = readFileSync(`${path}-wal`)
  const pageSize = bytes.readUInt32BE(8)
  const salts = bytes.subarray(16, 24)
  const frames: boolean[] = []
  for (let at = 32; at < bytes.length && bytes.subarray(at + 8, at + 16).equals(salts); at += 24 + pageSize)
    frames.push(bytes.readUInt32BE(at + 4) > 0)
  return frames
}

/** How many transactions are in the log. */
export const transactions = (path: string): number => logFrames(path).filter((ends) => ends).length

/** Makes of a file's jobs what formats before 4 had of them: one list of due jobs, and none without an expiry. */
export function backToFormat(db: DatabaseSync, format: 1 | 2 | 3): void {
  db.exec(`DROP TABLE kept;
    DROP TABLE notes;
    DROP INDEX jobs_by_tenant;
    DROP INDEX jobs_live_by_tenant;
    DROP INDEX jobs_tenant_by_status;
    DROP INDEX jobs_tenant_by_kind;
    ALTER TABLE jobs DROP COLUMN tenant;
    DROP INDEX jobs_all_live;
    DROP INDEX jobs_all_by_status;
    DROP INDEX jobs_all_by_kind;
    DROP INDEX jobs_due;
    UPDATE jobs SET due_at = NULL WHERE due_list = 'ended';
    ALTER TABLE jobs DROP COLUMN due_list;
    CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
    PRAGMA user_version = ${format}`)
}
