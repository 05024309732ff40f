import { closeSync, fdatasyncSync, openSync, readSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'

/** Disk space reserved for removals: bytes. As much as the WAL grows before a checkpoint. */
export const RESERVE_BYTES = 4 * 1024 * 1024

/** Path of the file that reserves the space. */
export const reserveOf = (file: string): string => `${file}-reserve`

/** File sizes in bytes. */
interface Sizes {
  wal: number
  database: number
}

/** The files of a database on the disk: identity, sizes and the reserve. */
export class DatabaseFiles {
  readonly #file: string
  /** Files that must not be moved or replaced, each with its identity at opening. */
  readonly #identities: readonly [file: string, identity: string | undefined][]
  #sizes: Sizes
  #hasReserve = false
  #fd: number | undefined

  /** @param file a database that was opened and read from, so that its WAL exists */
  constructor(file: string) {
    this.#file = file
    this.#identities = [file, `${file}-wal`, `${file}-lock`].map((name) => [name, identityOf(name)])
    this.#sizes = this.#measure()
    // Keep an existing reserve: on a full disk it could not be recreated.
    this.#hasReserve = sizeOf(reserveOf(file)) >= RESERVE_BYTES
    this.makeReserve()
  }

  /**
   * Whether the database, WAL and lock are still the files that were opened. Writes to deleted files are lost with the process, and without
   * the lock file another server may write.
   */
  get isInPlace(): boolean {
    return this.#identities.every(([file, identity]) => identityOf(file) === identity)
  }

  /** Which files have shrunk since the last call of this method or {@link noteSizes}. */
  findShrunk(): { wal: boolean; database: boolean } {
    const { wal, database } = this.#sizes
    this.#sizes = this.#measure()
    return { wal: this.#sizes.wal < wal, database: this.#sizes.database < database }
  }

  /** Records the present sizes, after an operation that may shrink files. */
  noteSizes(): void {
    this.#sizes = this.#measure()
  }

  /** Size of the database file: bytes. */
  get size(): number {
    return this.#sizes.database
  }

  #measure(): Sizes {
    return { wal: sizeOf(`${this.#file}-wal`), database: sizeOf(this.#file) }
  }

  /** Writes the database over itself, and syncs it: see {@link rewrite}. */
  rewriteDatabase(): void {
    // Stays open: closing it would release SQLite's locks on the file (sqlite.org/howtocorrupt.html, 2.2).
    this.#fd ??= openSync(this.#file, 'r+')
    rewrite(this.#fd)
  }

  /** Call it after SQLite has closed the database. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }

  /** Reserves disk space. @returns whether the reserve exists */
  makeReserve(): boolean {
    if (this.#hasReserve) return true
    const reserve = reserveOf(this.#file)
    try {
      // First write twice the size: a reserve must not itself fill the disk.
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

  /** Deletes the reserve, to free its space. */
  releaseReserve(): void {
    rmSync(reserveOf(this.#file), { force: true })
    this.#hasReserve = false
  }
}

/**
 * Writes a file over itself and syncs it. After a failed sync the kernel may treat unwritten pages as clean (fsync(2)): a later sync skips
 * them unless they are written again.
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

/** Device and inode: tells a file from its replacement. */
function identityOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false })
  return found && `${found.dev}:${found.ino}`
}

/** Bytes; 0 if the file does not exist. */
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
