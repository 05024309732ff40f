/** The thread that writes a SQLite file: its first message opens the file, each other one is a group of calls. */
import type { Limits } from '../../shared/limits.ts'
import type { Call } from './sqlite-calls.ts'
import { DatabaseFiles } from './sqlite-files.ts'
import { type OwnedDatabase, openDatabase } from './sqlite-open.ts'
import { Writer } from './sqlite-writer.ts'

/** The first message. */
export interface Opening {
  path: string
  limits: Limits
}

/** A thread's own scope, as far as it is used: the standard's types have either a window or this. */
const thread = globalThis as unknown as {
  onmessage: ((event: MessageEvent<string>) => void) | null
  postMessage(message: string): void
}

/** Opens the file, says how that went, and takes groups of calls from then on. */
function open({ path, limits }: Opening): void {
  let owned: OwnedDatabase
  try {
    owned = openDatabase(path)
  } catch (error) {
    thread.postMessage(JSON.stringify({ failed: error instanceof Error ? error.message : String(error) }))
    return
  }
  const writer = new Writer(owned.db, new DatabaseFiles(owned.file), limits)
  let timer: ReturnType<typeof setTimeout> | undefined
  const tidyIn = (ms: number | undefined) => {
    timer = ms === undefined ? undefined : setTimeout(() => tidyIn(writer.tidy()), ms)
  }
  thread.onmessage = ({ data }) => {
    if (data === 'close') {
      clearTimeout(timer)
      owned.close()
      thread.postMessage('{}')
      return
    }
    thread.postMessage(writer.commit(JSON.parse(data) as Call[]))
    if (timer === undefined && !writer.isTidy) tidyIn(0)
  }
  tidyIn(0)
  thread.postMessage(JSON.stringify({ file: owned.file }))
}

thread.onmessage = ({ data }) => open(JSON.parse(data) as Opening)
