/** The thread that writes a SQLite file: its first message names the file, each other one is a plan, or asks how things are. */
import { DatabaseFiles } from './sqlite-files.ts'
import { type OwnedDatabase, openDatabase } from './sqlite-open.ts'
import { Writer } from './sqlite-writer.ts'

/** A thread's own scope, as far as it is used: the standard's types have either a window or this. */
const thread = globalThis as unknown as {
  onmessage: ((event: MessageEvent<string>) => void) | null
  postMessage(message: string): void
}

const answer = (message: object) => thread.postMessage(JSON.stringify(message))

/** Opens the file, says how that went, and answers each message from then on. */
function open(path: string): void {
  let owned: OwnedDatabase
  try {
    owned = openDatabase(path)
  } catch (error) {
    answer({ failed: error instanceof Error ? error.message : String(error) })
    return
  }
  const writer = new Writer(owned.db, new DatabaseFiles(owned.file))
  let timer: ReturnType<typeof setTimeout> | undefined
  const recoverIn = (ms: number | undefined) => {
    timer = ms === undefined ? undefined : setTimeout(() => recoverIn(writer.recover()), ms)
  }
  thread.onmessage = ({ data }) => {
    if (data === 'close') {
      clearTimeout(timer)
      owned.close()
      answer({})
    } else answer(data === 'check' ? writer.check() : writer.commit(JSON.parse(data)))
    if (timer === undefined && !writer.isWell) recoverIn(0)
  }
  recoverIn(0)
  answer({ file: owned.file })
}

thread.onmessage = ({ data }) => open(data)
