import {
  closeSync,
  fdatasyncSync,
  openSync,
  readSync,
  rmSync,
  type Stats,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { type Finding, Witness } from './witness.ts'

/** Disk space reserved for removals: bytes. As much as the WAL grows before a checkpoint. */
const RESERVE_BYTES = 4 * 1024 * 1024

/** Path of the file that reserves the space. */
export const reserveOf = (file: string): string => `${file}-reserve`

/** Path of the file that records that the database was replaced or overwritten, so its WAL belongs to another. */
export const replacedMarkOf = (file: string): string => `${file}-replaced`

/** Longest tick of the clock that file systems use: milliseconds. */
const TICK_MS = 20

/** Sizes in bytes, and when the database was last written. */
interface Seen {
  database: number
  writtenAt: number
  wal: number
}

/** The files of a database on the disk: identity, contents and the reserve. */
export class DatabaseFiles {
  /** Path of the database, symbolic links resolved. */
  readonly file: string
  /** Identities at opening of the database, its WAL and its lock, which must not be moved or replaced. */
  readonly #identities: readonly (string | undefined)[]
  /** Stays open: closing it would release SQLite's locks on the file (sqlite.org/howtocorrupt.html, 2.2). */
  readonly #fd: number
  readonly #witness: Witness
  #noted: Seen
  #notedAt = performance.now()
  /** Whether a later write shows in the time of writing. */
  #isSettled = false
  #seen: Seen
  #isMarked = false
  #hasWarned = false
  #hasReserve = false

  /** @param file a database that was opened and read from, so that its WAL exists */
  constructor(file: string) {
    this.file = file
    this.#fd = openSync(file, 'r+')
    const found = this.#stat()
    this.#identities = found.map(identityOf)
    this.#seen = seenIn(found)
    this.#noted = this.#seen
    this.#witness = new Witness(file, this.#fd)
    // Keep an existing reserve: on a full disk it could not be recreated.
    this.#hasReserve = sizeOf(reserveOf(file)) >= RESERVE_BYTES
    this.makeReserve()
  }

  /**
   * Whether the database, WAL and lock are still the files that were opened. Writes to deleted files are lost with the process, and without
   * the lock file another server may write.
   */
  isInPlace(): boolean {
    const found = this.#stat()
    this.#seen = seenIn(found)
    const isReplaced = found[0] !== undefined && identityOf(found[0]) !== this.#identities[0]
    if (isReplaced !== this.#isMarked) this.#mark(isReplaced)
    if ((found[0]?.nlink ?? 1) > 1) this.#warnOfLink()
    return found.every((stats, index) => identityOf(stats) === this.#identities[index])
  }

  /** Once, and early: the next start will refuse the file. */
  #warnOfLink(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    console.error(
      `${this.file} has a second hard link, so the next start will refuse it. Remove the link; for a snapshot use "milepost backup".`,
    )
  }

  /**
   * What another program did to the contents, as of the last {@link isInPlace}. Cheap while the database was not written and the WAL did not
   * shrink.
   */
  check(): Finding {
    const { noted, seen } = { noted: this.#noted, seen: this.#seen }
    const isTouched = seen.database !== noted.database || seen.writtenAt !== noted.writtenAt || seen.wal < noted.wal
    noted.wal = seen.wal
    if (!isTouched && (this.#isSettled || this.#settle())) return undefined
    const finding = this.#witness.check()
    if (finding === undefined) this.#take(seen)
    return finding
  }

  /** The clock of file systems ticks every few milliseconds: until the next tick, what is written leaves no trace in it. */
  #settle(): boolean {
    this.#isSettled = performance.now() - this.#notedAt > TICK_MS
    return this.#witness.isAsNoted()
  }

  #take(seen: Seen): void {
    this.#noted = seen
    this.#notedAt = performance.now()
    this.#isSettled = false
    this.#witness.note()
  }

  /** Call it in each transaction, before its commit. */
  beforeCommit(): void {
    this.#witness.beforeCommit()
  }

  /** Call it after each commit, done or failed. */
  afterCommit(): void {
    this.#witness.afterCommit()
  }

  /** Takes the contents as right: after a checkpoint of our own. */
  note(): void {
    this.#take(seenIn(this.#stat()))
  }

  /** Watches the pages that were written last for good: they seldom change. */
  keepWatched(): void {
    this.#witness.keep()
  }

  #stat(): (Stats | undefined)[] {
    return ['', '-wal', '-lock'].map((suffix) => statSync(this.file + suffix, { throwIfNoEntry: false }))
  }

  /** Makes the next start refuse to apply the WAL to a database that it does not belong to. */
  markReplaced(): void {
    this.#mark(true)
  }

  #mark(isReplaced: boolean): void {
    this.#isMarked = isReplaced
    try {
      if (isReplaced) writeFileSync(replacedMarkOf(this.file), '', { mode: 0o600 })
      else rmSync(replacedMarkOf(this.file), { force: true })
    } catch {
      // The disk may be full or read-only. Commits are refused all the same.
    }
  }

  /** Writes the database over itself, and syncs it: see {@link rewrite}. */
  rewriteDatabase(): void {
    rewrite(this.#fd)
  }

  /** Call it after SQLite has closed the database. */
  close(): void {
    this.#witness.close()
    closeSync(this.#fd)
  }

  /** Reserves disk space. @returns whether the reserve exists */
  makeReserve(): boolean {
    if (this.#hasReserve) return true
    const reserve = reserveOf(this.file)
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
    rmSync(reserveOf(this.file), { force: true })
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
const identityOf = (found: Stats | undefined): string | undefined => found && `${found.dev}:${found.ino}`

const seenIn = ([database, wal]: (Stats | undefined)[]): Seen => ({
  database: database?.size ?? 0,
  writtenAt: database?.mtimeMs ?? 0,
  wal: wal?.size ?? 0,
})

/** Bytes; 0 if the file does not exist. */
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
