import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '../../../../server/engines/sqlite.ts'
import { openDatabase } from '../../../../server/engines/sqlite-open.ts'

/** Runs with a path in a folder of its own, which is gone afterwards. */
export async function withPath(run: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'milepost-'))
  try {
    await run(join(folder, 'milepost.db'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs with an engine, its file, and the connection behind it, for what no caller of the engine can do. */
export async function withEngine(
  run: (opened: { engine: SqliteEngine; db: DatabaseSync; path: string }) => Promise<void>,
): Promise<void> {
  await withPath(async (path) => {
    const db = openDatabase(path)
    const engine = new SqliteEngine(db)
    try {
      await run({ engine, db, path })
    } finally {
      await engine.close()
    }
  })
}

/** The pages in the log since it was begun, each with whether it ends a transaction (sqlite.org/fileformat2.html, 4.1). */
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
