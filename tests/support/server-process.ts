import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SECRET } from './tokens.ts'

const READY = /listens on (http:\/\/\S+)/
const SIGN_IN = /(http:\/\/\S+sign-in\S+)/

/** How a server is started. */
export interface Launch {
  /** @param folder where its store is */
  command(folder: string): string[]
  /** The setting of an engine with its store in a folder. */
  engine(folder: string): string
}

export const onBun: Launch = {
  command: () => [process.execPath, 'server/cli/main.ts', 'serve'],
  engine: (folder) => `sqlite:${join(folder, 'jobs.db')}`,
}

/** A real server in a process of its own, with a store of its own, which survives its kills. */
export class ServerProcess {
  /** All that it wrote, in every life. */
  output = ''
  url = ''
  readonly #folder: string
  readonly #command: string[]
  readonly #env: Record<string, string>
  #process: Bun.Subprocess<'ignore', 'pipe', 'pipe'> | undefined

  private constructor(folder: string, command: string[], env: Record<string, string>) {
    this.#folder = folder
    this.#command = command
    this.#env = env
  }

  /** Starts a server on a port that is free, and resolves once it listens. */
  static async start(env: Record<string, string> = {}, launch: Launch = onBun): Promise<ServerProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-server-'))
    const server = new ServerProcess(folder, launch.command(folder), {
      PORT: '0',
      HOST: '127.0.0.1',
      MILEPOST_SECRET: SECRET,
      MILEPOST_ENGINE: launch.engine(folder),
      ...env,
    })
    await server.restart()
    return server
  }

  /** The newest link that signs a browser in, once. */
  get signInLink(): string {
    return this.output.match(new RegExp(SIGN_IN, 'g'))?.at(-1) ?? ''
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Memory that the process holds: bytes. */
  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024
  }

  /** Ends the process without a word of warning. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    this.#process?.kill(signal)
    await this.#process?.exited
    return this.#process?.exitCode ?? null
  }

  /** Starts it again: the same store, the same address. */
  async restart(): Promise<void> {
    const port = this.url === '' ? {} : { PORT: new URL(this.url).port }
    const child = Bun.spawn(this.#command, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...this.#env, ...port },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    this.#process = child
    const from = this.output.length
    const ready = Promise.withResolvers<string>()
    const read = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder()
      for await (const chunk of stream) {
        this.output += decoder.decode(chunk, { stream: true })
        const url = READY.exec(this.output.slice(from))?.[1]
        if (url && SIGN_IN.test(this.output.slice(from))) ready.resolve(url)
      }
    }
    void Promise.all([read(child.stdout), read(child.stderr)]).then(() =>
      ready.reject(new Error(`The server ended before it listened:\n${this.output.slice(from)}`)),
    )
    this.url = await ready.promise
  }

  /** Ends it for good, and removes its store. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGTERM')
    await rm(this.#folder, { recursive: true, force: true })
  }
}
