import { EngineOpenError } from '../../jobs/engine.ts'
import { openError } from './file/open-error.ts'
import { type CheckResult, type CommitResult, DAMAGED, type Plan } from './plan.ts'

/** A message to the thread: first the path of the file, then plans, `check` and `close`. */
export type Question = string | Plan

/** The subset of `Worker` in use. */
export interface Port {
  postMessage(message: Question): void
  terminate(): void
  onmessage: ((event: MessageEvent<CommitResult>) => void) | null
  onerror: ((event: ErrorEvent) => void) | null
}

/** Client of the writer thread, which replies in the order of the messages. */
export class WriterThread {
  /** Path of the file, symbolic links resolved. */
  readonly file: string
  readonly #worker: Port
  readonly #waiting: ((outcome: CommitResult) => void)[] = []
  #failure: CommitResult | undefined
  /** The failure that was logged last; cleared by the next success. */
  #told: string | undefined

  /** @param worker with an open file: see {@link open} */
  constructor(worker: Port, file: string) {
    this.#worker = worker
    this.file = file
    worker.onmessage = ({ data }) => {
      this.#tell(data)
      this.#waiting.shift()?.(data)
    }
    worker.onerror = (event) => {
      event.preventDefault()
      this.#failure = { failed: `The thread that writes the database ended: ${event.message}` }
      console.error(this.#failure.failed, 'Start the server again.')
      for (const resolve of this.#waiting.splice(0)) resolve(this.#failure)
    }
  }

  /** @throws EngineOpenError */
  static async open(path: string): Promise<WriterThread> {
    const worker: Port = new Worker(moduleBeside(import.meta.url), { type: 'module' })
    try {
      const { file, failed } = await ask(worker, path)
      if (file === undefined) throw new EngineOpenError(failed)
      return new WriterThread(worker, file)
    } catch (error) {
      worker.terminate()
      throw openError(path, error)
    }
  }

  commit(plan: Plan): Promise<CommitResult> {
    return this.#ask(plan)
  }

  async check(): Promise<CheckResult> {
    return { mustKeepWal: false, ...(await this.#ask('check')) }
  }

  /** Closes the file and ends the thread, after what was asked before. Whatever is asked later fails. */
  async close(): Promise<void> {
    const closed = this.#ask('close')
    // The thread would not reply any more.
    this.#failure = { failed: 'The database is closed, because the server is stopping.' }
    await closed
    this.#worker.terminate()
  }

  /** Logs why commits fail: once, not with each. A full disk is told to whoever publishes; the engine logs damage, whoever finds it. */
  #tell({ failed, isFull }: CommitResult): void {
    const reason = isFull || failed === DAMAGED ? undefined : failed
    if (reason !== undefined && reason !== this.#told)
      console.error(`Events and new jobs are refused. The store failed: ${reason}`)
    this.#told = reason
  }

  #ask(message: Question): Promise<CommitResult> {
    if (this.#failure) return Promise.resolve(this.#failure)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#worker.postMessage(message)
    })
  }
}

/** URL of the thread's module: beside this one, or inside a binary under its source path. */
function moduleBeside(here: string): string {
  const beside = here.replace(/\/thread(\.[jt]s)$/, '/worker$1')
  return beside === here ? new URL('./server/engines/sqlite/worker.js', here).href : beside
}

function ask(worker: Port, message: string): Promise<CommitResult & { file?: string }> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = (event) => {
      event.preventDefault()
      reject(new Error(event.message))
    }
    worker.postMessage(message)
  })
}
