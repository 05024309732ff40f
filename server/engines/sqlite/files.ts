import { closeSync, fdatasyncSync, openSync, readSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'

/** Room on the disk that is kept for removals: bytes. As much as the write-ahead log has before it is moved into the file. */
export const RESERVE_BYTES = 4 * 1024 * 1024

/** The file that keeps the room. */
export const reserveOf = (file: string): string => `${file}-reserve`

/** Bytes. */
interface Sizes {
  log: number
  database: number
}

/** The files of a database, apart from what is in them. */
export class DatabaseFiles {
  readonly #file: string
  /** The files that must not change places, and what each was when it was opened. */
  readonly #identities: readonly [file: string, identity: string | undefined][]
  #sizes: Sizes
  #hasReserve = false
  #fd: number | undefined

  /** @param file the database, open and read from, so that its log is there */
  constructor(file: string) {
    this.#file = file
    this.#identities = [file, `${file}-wal`, `${file}-lock`].map((name) => [name, identityOf(name)])
    this.#sizes = this.#measure()
    // One that is there is kept: on a full disk it could not be made again.
    this.#hasReserve = sizeOf(reserveOf(file)) >= RESERVE_BYTES
    this.makeReserve()
  }

  /**
   * Whether the database, its write-ahead log and its lock are where they were: what is written to deleted files is lost with the process, and
   * without the lock another server may write.
   */
  get isInPlace(): boolean {
    return this.#identities.every(([file, identity]) => identityOf(file) === identity)
  }

  /** Which files have become shorter since {@link noteSizes}, or since this was asked. */
  findShrunk(): { log: boolean; database: boolean } {
    const { log, database } = this.#sizes
    this.#sizes = this.#measure()
    return { log: this.#sizes.log < log, database: this.#sizes.database < database }
  }

  /** Takes the sizes as they are, after something that may make files shorter. */
  noteSizes(): void {
    this.#sizes = this.#measure()
  }

  /** The size of the database: bytes. */
  get size(): number {
    return this.#sizes.database
  }

  #measure(): Sizes {
    return { log: sizeOf(`${this.#file}-wal`), database: sizeOf(this.#file) }
  }

  /** Writes the database over itself, and syncs it: see {@link rewrite}. */
  rewriteDatabase(): void {
    // Kept open: to close it would end SQLite's locks on the file (sqlite.org/howtocorrupt.html, 2.2).
    this.#fd ??= openSync(this.#file, 'r+')
    rewrite(this.#fd)
  }

  /** Once SQLite has the database closed. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }

  /** Keeps some of the disk's room. @returns whether there is some left besides */
  makeReserve(): boolean {
    if (this.#hasReserve) return true
    const reserve = reserveOf(this.#file)
    try {
      // Twice as much, for a moment: a reserve that takes the last room would be what makes the disk full.
      const fd = openSync(reserve, 'w', 0o600)
      try {
        const zeros = new Uint8Array(RESERVE_BYTES)
        for (const at of [0, RESERVE_BYTES])
          if (writeSync(fd, zeros, 0, RESERVE_BYTES, at) < RESERVE_BYTES) throw new Error('disk is full')
      } finally {
        closeSync(fd)
      }
      truncateSync(reserve, RESERVE_BYTES)
      this.#hasReserve = true
    } catch {
      rmSync(reserve, { force: true })
    }
    return this.#hasReserve
  }

  get hasReserve(): boolean {
    return this.#hasReserve
  }

  /** Gives the room away. */
  releaseReserve(): void {
    rmSync(reserveOf(this.#file), { force: true })
    this.#hasReserve = false
  }
}

/**
 * Writes a file over itself, and syncs it. After a sync that failed, the kernel may take pages for written that are not (fsync(2)): only
 * what is written again is synced again.
 */
export function rewrite(fd: number): void {
  const chunk = new Uint8Array(1024 * 1024)
  for (let at = 0; ; ) {
    const length = readSync(fd, chunk, 0, chunk.length, at)
    if (length === 0) break
    for (let done = 0; done < length; ) done += writeSync(fd, chunk, done, length - done, at + done)
    at += length
  }
  fdatasyncSync(fd)
}

/** What tells a file from another in its place. */
function identityOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false })
  return found && `${found.dev}:${found.ino}`
}

/** Bytes; none where there is no file. */
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
