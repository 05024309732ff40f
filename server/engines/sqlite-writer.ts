import type { DatabaseSync } from 'node:sqlite'
import type { Limits } from '../../shared/limits.ts'
import { type Problem, problems } from '../errors.ts'
import { Recent } from './recent.ts'
import { type Answer, type Call, encodeReply } from './sqlite-calls.ts'
import type { DatabaseFiles } from './sqlite-files.ts'
import { FORMAT } from './sqlite-format.ts'
import { Group } from './sqlite-group.ts'
import { type Entry, type Saved, SqliteStore } from './sqlite-store.ts'

/** How much JSON of jobs is kept in memory: characters, about 16 MiB. */
const CACHE_SIZE = 16 * 1024 * 1024
/** Rows of removed jobs that are deleted in one go: some milliseconds. */
const TRASH_ROWS = 2_000

/** When to tidy again: milliseconds from now, when there is more to do and when the disk has to get better first. */
const TIDY_MS = { soon: 2, later: 1_000 }

/**
 * The one writer of a file, in a thread that may wait for the disk.
 *
 * SQLite syncs the write-ahead log before a commit is done (`synchronous=FULL`), and only then lets readers see it. A commit whose sync
 * fails is rolled back, and the next one is written over it: so nobody is told of anything that a power cut can undo. Only who asked for
 * it does not know the outcome, since a power cut may leave it on the disk.
 */
export class Writer {
  readonly #db: DatabaseSync
  readonly #files: DatabaseFiles
  readonly #store: SqliteStore
  readonly #limits: Limits
  readonly #entries = new Recent<string, Entry>(CACHE_SIZE)
  /** Why the last commit failed, until one succeeds. */
  #failure: string | undefined
  /** Whether there is nothing to do but what is asked for. After a start nobody knows. */
  isTidy = false

  constructor(db: DatabaseSync, files: DatabaseFiles, limits: Limits) {
    this.#db = db
    this.#files = files
    this.#store = new SqliteStore(db, true)
    this.#limits = limits
  }

  /** Commits calls together. @returns a {@link Reply}, in JSON */
  commit(calls: readonly Call[]): string {
    const { answers, saved } = this.#commitOrRefuse(calls)
    return encodeReply(answers, saved)
  }

  /**
   * Does a little of what waits: tries a disk that failed again, deletes rows of removed jobs, makes the file smaller.
   *
   * @returns when to call it again: milliseconds from now; nothing when all is done
   */
  tidy(): number | undefined {
    try {
      if (this.#failure !== undefined) this.#transaction(() => this.#db.exec(`PRAGMA user_version = ${FORMAT}`))
      const isMore = this.#transaction(() => this.#store.emptyTrash(TRASH_ROWS) || this.#store.shrink())
      if (isMore) return TIDY_MS.soon
    } catch (reason) {
      if (!isFull(reason) || !this.#giveRoom()) this.#note(reason)
      return TIDY_MS.later
    }
    this.isTidy = this.#files.makeReserve()
    return this.isTidy ? undefined : TIDY_MS.later
  }

  close(): void {
    this.#db.close()
  }

  #commitOrRefuse(calls: readonly Call[]): Committed {
    try {
      try {
        return this.#commit(calls)
      } catch (reason) {
        if (!isFull(reason)) throw reason
        // The room of the write-ahead log can be used again.
        this.#moveLog()
        return this.#commit(calls)
      }
    } catch (reason) {
      if (isFull(reason)) return this.#commitRemovals(calls)
      this.#note(reason)
      return refuseAll(calls, problems.unavailable(this.#files.isInPlace ? undefined : MOVED))
    }
  }

  #commit(calls: readonly Call[]): Committed {
    const group = new Group(this.#store, (id) => this.#find(id), this.#limits)
    const answers = calls.map((call) => this.#decide(group, call))
    let saved = new Map<string, Saved | undefined>()
    try {
      if (!group.isEmpty) saved = this.#transaction(() => group.write())
      if (!this.#files.isInPlace) throw new Error(MOVED)
    } catch (reason) {
      for (const id of group.ids) this.#entries.delete(id)
      throw reason
    }
    for (const [id, one] of saved) {
      if (one) this.#remember(id, one.entry)
      else {
        this.#entries.delete(id)
        this.isTidy = false
      }
    }
    return { answers: answers.map((answer) => withoutSaved(answer, saved)), saved }
  }

  /** On a full disk removals may have the room that is kept for them; nothing else is taken. */
  #commitRemovals(calls: readonly Call[]): Committed {
    // A full disk is still there to be read.
    const refused = {
      answers: calls.map((call): Answer => (call.do === 'check' ? { checked: true } : { refused: problems.full() })),
      saved: new Map(),
    }
    const removals = calls.filter((call) => call.do === 'remove')
    if (removals.length === 0 || !this.#giveRoom()) return refused
    try {
      const { answers, saved } = this.#commit(removals)
      const answerOf = new Map<Call | undefined, Answer | undefined>(
        removals.map((call, index) => [call, answers[index]]),
      )
      return { answers: refused.answers.map((answer, index) => answerOf.get(calls[index]) ?? answer), saved }
    } catch (reason) {
      if (!isFull(reason)) this.#note(reason)
      return refused
    }
  }

  #note(reason: unknown): void {
    this.#failure = reason instanceof Error ? reason.message : String(reason)
    this.isTidy = false
  }

  /** @returns whether there was room that was kept */
  #giveRoom(): boolean {
    this.isTidy = false
    const had = this.#files.releaseReserve()
    if (had) this.#moveLog()
    return had
  }

  /** Into the file, so that its room is used again. */
  #moveLog(): void {
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  #find(id: string): Entry | undefined {
    const known = this.#entries.get(id)
    if (known) return known
    const entry = this.#store.find(id)
    if (entry) this.#remember(id, entry)
    return entry
  }

  #remember(id: string, entry: Entry): void {
    this.#entries.set(id, entry, entry.headSize + entry.payloadSize)
  }

  #decide(group: Group, call: Call): Answer {
    try {
      switch (call.do) {
        case 'create':
          return group.create(call.job).answer
        case 'apply': {
          const { answer, told } = group.apply(call.id, call.batch)
          if ('refused' in answer) return answer
          if (!told) return { repeat: answer.header }
          const { from, events } = told.change
          // Those of a decision are known here alone.
          const decided = call.batch.decide === undefined ? {} : { events: events ?? [] }
          return { from, header: answer.header, ...decided }
        }
        case 'remove': {
          const { answer, told } = group.remove(call.id, call.only)
          return { removed: (answer && told?.change.header) || false }
        }
        case 'check':
          if (!this.#files.isInPlace) return { error: MOVED }
          return this.#failure === undefined ? { checked: true } : { error: this.#failure }
      }
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) }
    }
  }

  #transaction<T>(run: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = run()
      this.#db.exec('COMMIT')
      this.#failure = undefined
      return result
    } catch (error) {
      try {
        this.#db.exec('ROLLBACK')
      } catch {
        // SQLite has rolled back by itself, as it does when the disk fails.
      }
      throw error
    }
  }
}

/** What was committed, before it is encoded. */
interface Committed {
  answers: Answer[]
  saved: Map<string, Saved | undefined>
}

function refuseAll(calls: readonly Call[], problem: Problem): Committed {
  return { answers: calls.map(() => ({ refused: problem })), saved: new Map() }
}

const MOVED =
  'The database file was moved, deleted or replaced while the server had it open. Put it back, or start the server again.'

/** By its text: not every runtime gives SQLite's code. */
const isFull = (reason: unknown) => reason instanceof Error && reason.message.includes('database or disk is full')

/** Leaves out the header that `saved` has. */
function withoutSaved(answer: Answer, saved: Map<string, Saved | undefined>): Answer {
  if (!('from' in answer) || !answer.header) return answer
  if (saved.get(answer.header.id)?.entry.job.header !== answer.header) return answer
  const { header: _header, ...rest } = answer
  return rest
}
