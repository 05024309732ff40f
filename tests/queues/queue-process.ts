import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { linesOf } from '../support/lines.ts'

/** A program of this folder in a process of its own. */
export class QueueProcess {
  readonly #process: Bun.Subprocess<'ignore', 'pipe', 'inherit'>
  /** What it wrote. */
  readonly lines: string[] = []

  private constructor(child: Bun.Subprocess<'ignore', 'pipe', 'inherit'>) {
    this.#process = child
  }

  /** Starts it, and resolves once it says that it is ready. */
  static async start(file: string, args: readonly (string | number)[], env: Record<string, string> = {}) {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, file), ...args.map(String)], {
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'inherit',
    })
    const started = new QueueProcess(child)
    const lines = linesOf(child.stdout)
    await lines.next()
    void started.#read(lines)
    return started
  }

  /** Starts a program of this code, whose first line of output says that it is ready. */
  static async run(code: string): Promise<QueueProcess> {
    // Here, where the names of the package are known.
    const folder = await mkdtemp(join(import.meta.dir, 'code-'))
    await writeFile(join(folder, 'main.ts'), code)
    const started = await QueueProcess.start(join(basename(folder), 'main.ts'), [])
    // It is loaded.
    await rm(folder, { recursive: true })
    return started
  }

  async #read(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) this.lines.push(line)
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#process.kill(signal)
    await this.#process.exited
  }
}
