import { closeSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'

/** Room on the disk that is kept for removals: bytes. As much as the write-ahead log has before it is moved into the file. */
export const RESERVE_BYTES = 4 * 1024 * 1024

/** The files of a database, apart from what is in them. */
export class DatabaseFiles {
  readonly #file: string
  readonly #identity: string | undefined
  #logIdentity: string | undefined
  #hasReserve = false

  /** @param file the database, open */
  constructor(file: string) {
    this.#file = file
    this.#identity = identityOf(file)
    this.makeReserve()
  }

  /** Whether the database and its write-ahead log are where they were: what is written to deleted files is lost with the process. */
  get isInPlace(): boolean {
    this.#logIdentity ??= identityOf(`${this.#file}-wal`)
    return identityOf(this.#file) === this.#identity && identityOf(`${this.#file}-wal`) === this.#logIdentity
  }

  /** Keeps some of the disk's room. @returns whether there is some left besides */
  makeReserve(): boolean {
    if (this.#hasReserve) return true
    const reserve = `${this.#file}-reserve`
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

  /** Gives the room away. @returns whether there was any */
  releaseReserve(): boolean {
    const hadReserve = this.#hasReserve
    rmSync(`${this.#file}-reserve`, { force: true })
    this.#hasReserve = false
    return hadReserve
  }
}

/** What tells a file from another in its place. */
function identityOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false })
  return found && `${found.dev}:${found.ino}`
}
