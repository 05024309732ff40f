import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'

const VERSIONS = '/usr/lib/postgresql'

/** Where the newest Postgres of Debian is; `undefined` without one. */
async function binaries(): Promise<string | undefined> {
  if (!existsSync(VERSIONS)) return undefined
  const [newest] = (await readdir(VERSIONS)).sort((one, other) => Number(other) - Number(one))
  return newest && join(VERSIONS, newest, 'bin')
}

/** A real Postgres on a free port of this machine, with a folder of its own, which trusts whoever connects. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number
  readonly #folder: string
  readonly #bin: string
  #process: Bun.Subprocess<'ignore', 'ignore', 'pipe'> | undefined

  private constructor(folder: string, bin: string) {
    this.port = freePort()
    this.#folder = folder
    this.#bin = bin
  }

  /** Why there can be none, if so. */
  static async missing(): Promise<string | undefined> {
    return (await binaries()) ? undefined : `no ${VERSIONS}: install postgresql`
  }

  static async start(): Promise<PostgresServer> {
    const bin = await binaries()
    if (!bin) throw new Error('There is no Postgres')
    const folder = await mkdtemp(join(tmpdir(), 'milepost-postgres-'))
    const server = new PostgresServer(folder, bin)
    await chmod(folder, 0o700)
    const user = server.#user
    if (user) await chown(folder, user.uid, user.gid)
    const init = server.#spawn('initdb', '-D', folder, '-U', 'postgres', '-A', 'trust', '-N', '--no-instructions')
    const errors = await new Response(init.stderr).text()
    if ((await init.exited) !== 0) throw new Error(`initdb: ${errors}`)
    await server.restart()
    return server
  }

  /** The address of its database. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`
  }

  /** Starts it again, with the same folder and port, and resolves once it answers. */
  async restart(): Promise<void> {
    const place = ['-D', this.#folder, '-p', `${this.port}`, '-k', this.#folder, '-h', '127.0.0.1']
    const server = this.#spawn('postgres', ...place, '-c', 'shared_buffers=16MB')
    this.#process = server
    const ready = Promise.withResolvers<void>()
    void (async () => {
      const decoder = new TextDecoder()
      let log = ''
      for await (const bytes of server.stderr) {
        log += decoder.decode(bytes, { stream: true })
        if (log.includes('ready to accept connections')) ready.resolve()
      }
      ready.reject(new Error(`postgres ended:\n${log}`))
    })()
    await ready.promise
  }

  /** Ends it at once, as a crash does: SIGQUIT, so that its children end too. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGQUIT')
    await this.#process?.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Postgres refuses to run as root. */
  get #user(): { uid: number; gid: number } | undefined {
    if (process.getuid?.() !== 0) return undefined
    const id = (flag: string) => Number(Bun.spawnSync(['id', flag, 'postgres']).stdout.toString())
    return { uid: id('-u'), gid: id('-g') }
  }

  #spawn(program: string, ...args: string[]) {
    const user = this.#user ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--'] : []
    return Bun.spawn([...user, join(this.#bin, program), ...args], {
      cwd: this.#folder,
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    })
  }
}
