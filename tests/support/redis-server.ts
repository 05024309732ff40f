import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'

/** A real Redis server on a free port of this machine, with a folder of its own. */
export class RedisServer {
  readonly port: number
  readonly folder: string
  /** All that it logged, in every life. */
  output = ''
  readonly #args: readonly string[]
  #process: Bun.Subprocess<'ignore', 'pipe', 'ignore'> | undefined

  private constructor(folder: string, port: number, args: readonly string[]) {
    this.folder = folder
    this.port = port
    this.#args = args
  }

  /** Starts a server that keeps nothing on the disk, unless the arguments say otherwise: `--appendonly yes`. */
  static start(...args: string[]): Promise<RedisServer> {
    return RedisServer.startAt(freePort(), ...args)
  }

  static async startAt(port: number, ...args: string[]): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-redis-'))
    const server = new RedisServer(folder, port, args)
    await server.restart()
    return server
  }

  /** Starts a Sentinel with a configuration of its own. */
  static async startSentinel(file: string): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-redis-'))
    const server = new RedisServer(folder, freePort(), [file, '--sentinel'])
    await server.restart()
    return server
  }

  /** The setting of an engine with this server. */
  get setting(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts it again, with the same folder and port, and resolves once it answers. */
  async restart(): Promise<void> {
    const place = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.folder]
    const isSentinel = this.#args.includes('--sentinel')
    const args = isSentinel ? [...this.#args, ...place] : [...place, '--save', '', ...this.#args]
    this.#process = Bun.spawn(['redis-server', ...args], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'ignore',
    })
    const ready = Promise.withResolvers<void>()
    void this.#read(this.#process.stdout, ready)
    await ready.promise
  }

  async #read(output: ReadableStream<Uint8Array>, ready: PromiseWithResolvers<void>): Promise<void> {
    const decoder = new TextDecoder()
    const from = this.output.length
    // To its end: nobody would empty the pipe otherwise.
    for await (const chunk of output) {
      this.output += decoder.decode(chunk, { stream: true })
      if (/Ready to accept connections|Sentinel ID is/.test(this.output.slice(from))) ready.resolve()
    }
    ready.reject(new Error(`redis-server ended:\n${this.output.slice(from)}`))
  }

  /** Sends a command by redis-cli. @returns what it prints */
  async command(...args: string[]): Promise<string> {
    const child = Bun.spawn(['redis-cli', '-p', `${this.port}`, ...args], { stderr: 'pipe' })
    const output = (await new Response(child.stdout).text()).trim()
    if ((await child.exited) !== 0) throw new Error(`redis-cli ${args.join(' ')}: ${output}`)
    return output
  }

  /** Resolves once a replica has all that was written here. */
  async isReplicatedTo(replica: RedisServer): Promise<void> {
    const mark = crypto.randomUUID()
    await this.command('SET', 'mark', mark)
    while ((await replica.command('GET', 'mark').catch(() => '')) !== mark) await Bun.sleep(5)
  }

  /** SIGSTOP pauses the process, SIGCONT continues it. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal)
  }

  /** Ends the process without a word of warning. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#process?.exited
  }

  /** Ends it for good, and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }
}
