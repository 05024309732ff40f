import { EngineOpenError } from './engine-open-error.ts'
import { type Answer, type Call, decodeReply, type Reply } from './sqlite-calls.ts'
import { openError } from './sqlite-open.ts'
import type { Opening } from './sqlite-worker.ts'

interface Waiting {
  call: Call
  resolve: (answered: Answered) => void
  reject: (reason: unknown) => void
}

/** What a `Worker` has, as far as it is used. */
export interface Port {
  postMessage(message: string): void
  terminate(): void
  onmessage: ((event: MessageEvent<string>) => void) | null
  onerror: ((event: ErrorEvent) => void) | null
}

/** What became of a call, and of the jobs that it was committed with. */
export interface Answered extends Pick<Reply, 'entries'> {
  answer: Answer
}

/**
 * The thread that writes. Calls that come while it commits wait, and are its next group: a commit costs about the same for one call and for
 * thirty. A lone call goes at once.
 */
export class WriterThread {
  /** The file that it writes, links followed. */
  readonly file: string
  /** Told of what was committed, before those who called are. */
  onReply: (calls: readonly Call[], reply: Reply) => void = () => {}
  readonly #worker: Port
  #waiting: Waiting[] = []
  #committing: Waiting[] = []
  #isScheduled = false
  #failure: Error | undefined

  /** @param worker whose file is open: see {@link open} */
  constructor(worker: Port, file: string) {
    this.#worker = worker
    this.file = file
    worker.onmessage = ({ data }) => this.#settle(decodeReply(data))
    worker.onerror = (event) => {
      event.preventDefault()
      this.#fail(new Error(`The thread that writes ended: ${event.message}`))
    }
  }

  /** @throws EngineOpenError */
  static async open(opening: Opening): Promise<WriterThread> {
    const worker: Port = new Worker(moduleBeside(import.meta.url), { type: 'module' })
    try {
      const { file, failed } = await ask(worker, JSON.stringify(opening))
      if (file === undefined) throw new EngineOpenError(failed)
      return new WriterThread(worker, file)
    } catch (error) {
      worker.terminate()
      throw openError(opening.path, error)
    }
  }

  call(call: Call): Promise<Answered> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure)
      this.#waiting.push({ call, resolve, reject })
      this.#schedule()
    })
  }

  /** Commits what waits, and ends the thread. @param beforeLast called when all is committed, and the file still open */
  async close(beforeLast: () => void): Promise<void> {
    while (this.#waiting.length + this.#committing.length > 0) await new Promise((resolve) => setImmediate(resolve))
    beforeLast()
    if (!this.#failure) await ask(this.#worker, 'close')
    this.#worker.terminate()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#committing.length > 0 || this.#waiting.length === 0) return
    this.#isScheduled = true
    // A microtask would come before the next request is read from its socket: nothing would ever be grouped.
    setImmediate(() => {
      this.#isScheduled = false
      this.#committing = this.#waiting
      this.#waiting = []
      this.#worker.postMessage(JSON.stringify(this.#committing.map(({ call }) => call)))
    })
  }

  #settle(reply: Reply): void {
    const committed = this.#committing
    this.#committing = []
    this.onReply(
      committed.map(({ call }) => call),
      reply,
    )
    for (const [index, answer] of reply.answers.entries()) committed[index]?.resolve({ answer, entries: reply.entries })
    this.#schedule()
  }

  #fail(reason: Error): void {
    this.#failure = reason
    for (const { reject } of [...this.#committing, ...this.#waiting]) reject(reason)
    this.#committing = []
    this.#waiting = []
  }
}

/** The thread's own module: beside this one, or in a binary under the path that it was built from. */
function moduleBeside(here: string): string {
  const beside = here.replace(/\/sqlite-thread(\.[jt]s)$/, '/sqlite-worker$1')
  return beside === here ? new URL('./server/engines/sqlite-worker.js', here).href : beside
}

function ask(worker: Port, message: string): Promise<{ file?: string; failed?: string }> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(JSON.parse(data))
    worker.onerror = (event) => {
      event.preventDefault()
      reject(new Error(event.message))
    }
    worker.postMessage(message)
  })
}
