/** The writer thread of a SQLite file. The first message names the file; later ones are plans, `check` or `close`. */
import { DatabaseFiles } from './file/database-files.ts'
import { type OwnedDatabase, openDatabase } from './file/open.ts'
import type { CommitResult } from './plan.ts'
import type { Question } from './thread.ts'
import { Writer } from './writer.ts'

/** The subset of the worker's global scope in use. TypeScript's DOM types exclude those of workers. */
const thread = globalThis as unknown as {
  onmessage: ((event: MessageEvent<Question>) => void) | null
  postMessage(message: CommitResult & { file?: string }): void
}

/** Opens the file, posts the outcome, then replies to each message. */
function open(path: string): void {
  let owned: OwnedDatabase
  try {
    owned = openDatabase(path)
  } catch (error) {
    thread.postMessage({ failed: error instanceof Error ? error.message : String(error) })
    return
  }
  const files = new DatabaseFiles(owned.file)
  const writer = new Writer(owned.db, files)
  writer.stamp()
  let timer: ReturnType<typeof setTimeout> | undefined
  const recoverIn = (ms: number | undefined) => {
    timer = ms === undefined ? undefined : setTimeout(() => recoverIn(writer.recover()), ms)
  }
  thread.onmessage = ({ data }) => {
    if (data === 'close') {
      clearTimeout(timer)
      owned.close()
      files.close()
      thread.postMessage({})
      return
    }
    thread.postMessage(typeof data === 'string' ? writer.check() : writer.commit(data))
    // After the reply, so that no request waits for the checkpoint.
    writer.checkpoint()
    if (timer === undefined && !writer.isWell) recoverIn(0)
  }
  recoverIn(0)
  thread.postMessage({ file: owned.file })
}

thread.onmessage = ({ data }) => open(String(data))
