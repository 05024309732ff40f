import { fstatSync, readSync } from 'node:fs'
import { type FrameRange, readAt, WalIndex, type WalState } from './wal-index.ts'

/** How often a check is repeated while other programs write or checkpoint. */
const TRIES = 5

/** Pages of a transaction that are remembered. */
const REMEMBERED = 8

/**
 * What is wrong with the files. `cut`: the WAL lacks commits. `overwritten`: the database lacks pages, or has some that SQLite did not write.
 * `restarted`: nothing, as far as pages tell, but another program has emptied the WAL, so the file must have all that was committed.
 */
export type Finding = 'cut' | 'overwritten' | 'restarted' | undefined

/**
 * Notices that another program wrote over the database file, such as `cp` of a backup. SQLite would go on and mix both histories.
 *
 * Checkpoints of other programs, such as Litestream, change the file too, but only to what the WAL has. So pages that were copied from the
 * WAL must be as the WAL has them, and others as they were: some of those are remembered.
 */
export class Witness {
  readonly #database: number
  readonly #index: WalIndex
  #scratch = Buffer.alloc(0)
  /** The WAL was empty or fully copied, and unchanged since it was noted, when the transaction began: it is this one that restarts it. */
  #mayRestart = false
  #kept: readonly number[] = []
  #noted: { state: WalState; pages: ReadonlyMap<number, Uint8Array> }

  /** @param database an open descriptor of the database file */
  constructor(file: string, database: number) {
    this.#database = database
    this.#index = new WalIndex(file)
    this.#noted = this.#look(new Map())
  }

  /** Remembers the file as it is: after a checkpoint of our own, or a check that found nothing. */
  note(): void {
    this.#noted = this.#look(this.#noted.pages)
  }

  /** Remembers the pages that are remembered now for good, beside those of later transactions. */
  keep(): void {
    this.#kept = [...this.#noted.pages.keys()]
  }

  /** Call it in each transaction, before its commit. */
  beforeCommit(): void {
    const { state } = this.#noted
    this.#mayRestart = state.copied === state.frames && isSame(state, this.#index.read())
  }

  /** Call it after each commit: the first one after a full checkpoint overwrites the WAL from its beginning. */
  afterCommit(): void {
    if (!this.#mayRestart) return
    this.#mayRestart = false
    const state = this.#index.read()
    const { restarts } = this.#noted.state
    // Otherwise another program has checkpointed since. The first WAL of a file begins at a random number.
    const isOurs = (state.restarts - restarts) >>> 0 <= 1 || restarts === 0
    if (isOurs && state.attempted === 0) this.#noted = { state, pages: this.#noted.pages }
  }

  /** Whether no checkpoint has run since {@link note}, and the remembered pages are unchanged. Cheap. */
  isAsNoted(): boolean {
    const { state, pages } = this.#noted
    const { copied, attempted, restarts } = this.#index.read()
    const isQuiet = copied === state.copied && attempted === state.attempted && restarts === state.restarts
    return isQuiet && [...pages].every(([page, content]) => this.#has(page, content))
  }

  check(): Finding {
    for (let tries = 0; ; tries++) {
      const state = this.#index.read()
      const finding = this.#compare(state)
      if (finding === undefined || isSame(state, this.#index.read())) return finding
      // Another program was at work, so the comparison is void. The next check tells.
      if (tries === TRIES) return undefined
    }
  }

  /** Call it after SQLite has closed the database. */
  close(): void {
    this.#index.close()
  }

  #compare(state: WalState): Finding {
    const { frames, copied, attempted, pages, pageSize, restarts } = state
    if (copied < frames && this.#index.isShort(state)) return 'cut'
    const ranges = this.#index.ranges(state)
    for (let page = Math.floor(fstatSync(this.#database).size / pageSize) + 1; page <= pages; page++)
      if (!ranges.has(page)) return 'overwritten'
    // Pages beyond the end were in the WAL before a vacuum.
    const isIn = ([page]: [number, unknown]) => page <= pages
    const isCopied = ([page, { last }]: [number, FrameRange]) =>
      last > copied || this.#has(page, this.#index.content(last, state))
    if (![...ranges].filter(isIn).every(isCopied)) return 'overwritten'
    if (restarts !== this.#noted.state.restarts) return 'restarted'
    const isUntouched = ([page]: [number, unknown]) => (ranges.get(page)?.first ?? frames + 1) > attempted
    const noted = [...this.#noted.pages].filter((entry) => isIn(entry) && isUntouched(entry))
    return noted.every(([page, content]) => this.#has(page, content)) ? undefined : 'overwritten'
  }

  #has(page: number, content: Uint8Array): boolean {
    const size = content.length
    if (this.#scratch.length !== size) this.#scratch = Buffer.alloc(size)
    const read = readSync(this.#database, this.#scratch, 0, size, (page - 1) * size)
    return read === size && this.#scratch.equals(content)
  }

  /** Page 1 and the pages of the last transaction. Those of an earlier one while the file lacks it. An older copy of the file has others. */
  #look(before: ReadonlyMap<number, Uint8Array>): { state: WalState; pages: Map<number, Uint8Array> } {
    const state = this.#index.read()
    const isInFile = state.frames > 0 && state.copied === state.frames
    const last = isInFile ? this.#index.lastPages(state, REMEMBERED) : before.keys()
    const { pageSize } = state
    const read = (page: number) => readAt(this.#database, (page - 1) * pageSize, pageSize)
    return { state, pages: new Map([1, ...last, ...this.#kept].map((page) => [page, read(page)])) }
  }
}

const isSame = (one: WalState, other: WalState) => JSON.stringify(one) === JSON.stringify(other)
