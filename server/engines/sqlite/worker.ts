/** The thread that writes a SQLite file: its first message names the file, each other one is a plan, or asks how things are. */
import { DatabaseFiles } from './files.ts'
import { type OwnedDatabase, openDatabase } from './open.ts'
import type { CommitResult } from './plan.ts'
import type { Question } from './thread.ts'
import { Writer } from './writer.ts'

/** A thread's own scope, as far as it is used: the standard's types have either a window or this. */
const thread = globalThis as unknown as {
  onmessage: ((event: MessageEvent<Question>) => void) | null
  postMessage(message: CommitResult & { file?: string }): void
}

/** Opens the file, says how that went, and answers each message from then on. */
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
  let timer: ReturnType<typeof setTimeout> | undefined
  const recoverIn = (ms: number | undefined) => {
    timer = ms === undefined ? undefined : setTimeout(() => recoverIn(writer.recover()), ms)
  }
  thread.onmessage = ({ data }) => {
    if (data === 'close') {
      clearTimeout(timer)
      if (!writer.isDoubtful) {
        owned.close()
        files.close()
      }
      thread.postMessage({})
      return
    }
    thread.postMessage(typeof data === 'string' ? writer.check() : writer.commit(data))
    // Those who were answered are not kept waiting for it.
    writer.checkpoint()
    if (timer === undefined && !writer.isWell) recoverIn(0)
  }
  recoverIn(0)
  thread.postMessage({ file: owned.file })
}

thread.onmessage = ({ data }) => open(String(data))
