import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { atEnd } from '../../support/at-end.ts'
import { SECRET } from '../../support/tokens.ts'

/** What workerd says of each connection that the other end breaks off, with the stack that it prints with it. */
const DISCONNECTED =
  /^.*(kj::getCaughtExceptionAsKj\(\) = .*disconnected: |Uncaught Error: Network connection lost).*\n+(\s+stack: .*\n+)?/gm

const root = fileURLToPath(new URL('../../../', import.meta.url))
const WRANGLER = 'node_modules/wrangler/bin/wrangler.js'
const SERVE = fileURLToPath(new URL('serve.mjs', import.meta.url))

/** A Worker in a real workerd, bundled by wrangler, with storage of its own. */
export class Workerd {
  readonly url: string
  #output = ''
  readonly #process: ChildProcess
  readonly #folder: string

  private constructor(url: string, process: ChildProcess, folder: string) {
    this.url = url
    this.#process = process
    this.#folder = folder
    listen(process, (text) => {
      this.#output += text
    })
  }

  /** All that it has printed since it began to serve, but for what workerd says of connections that the other end breaks off. */
  get output(): string {
    return this.#output.replaceAll(DISCONNECTED, '')
  }

  /**
   * Resolves once it serves.
   *
   * @param config from the top of the repository: `wrangler.jsonc`
   * @param folder the storage of one before, to go on with
   * @param port free by default
   */
  static async start(
    config: string,
    options: { folder?: string; port?: number; variables?: Record<string, string> } = {},
  ): Promise<Workerd> {
    const { port = 0, variables = { MILEPOST_SECRET: SECRET } } = options
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'milepost-workers-')))
    const built = await builtOf(config)
    const child = run(folder, [
      ...[SERVE, join(built, 'wrangler.jsonc'), join(built, 'worker.js'), join(folder, 'state')],
      ...[`${port}`, JSON.stringify(variables)],
    ])
    return new Workerd(await readUrl(child), child, folder)
  }

  /** Memory of workerd: bytes. */
  async residentBytes(): Promise<number> {
    const group = String(this.#process.pid)
    for (const pid of await readdir('/proc')) {
      const [stat, command] = await Promise.all([readText(`/proc/${pid}/stat`), readText(`/proc/${pid}/cmdline`)])
      // After the name, in brackets: state, parent, group.
      const isOurs = stat.slice(stat.lastIndexOf(')')).split(' ')[3] === group
      if (!isOurs || !command.includes('bin/workerd')) continue
      // One that ends at this moment has none.
      const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readText(`/proc/${pid}/status`))?.[1]
      if (kibibytes !== undefined) return Number(kibibytes) * 1_024
    }
    throw new Error('There is no workerd')
  }

  /** Kills all of it at once, as a power cut would. The storage stays: answers where it is. */
  async kill(): Promise<string> {
    const { pid, exitCode, signalCode } = this.#process
    if (pid !== undefined && exitCode === null && signalCode === null) {
      const exited = new Promise((resolve) => this.#process.once('exit', resolve))
      process.kill(-pid, 'SIGKILL')
      await exited
    }
    return this.#folder
  }

  async stop(): Promise<void> {
    await rm(await this.kill(), { recursive: true, force: true })
  }
}

/** Folders with a bundle and its settings, by the configuration. They last as long as this process. */
const builds = new Map<string, Promise<string>>()

function builtOf(config: string): Promise<string> {
  const built = builds.get(config) ?? build(config)
  builds.set(config, built)
  return built
}

/** Bundles a Worker as a deploy does. */
async function build(config: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-bundle-'))
  atEnd(() => rm(folder, { recursive: true }))
  await finished(run(folder, [WRANGLER, 'deploy', '--dry-run', '--config', config, '--outdir', folder]))
  await copyFile(join(root, config), join(folder, 'wrangler.jsonc'))
  return folder
}

const readText = (path: string) => readFile(path, 'utf8').catch(() => '')

/** Starts Node.js in a group of its own: what it starts, workerd above all, is killed with it. */
function run(folder: string, args: string[]): ChildProcess {
  return spawn('node', args, {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_LOG_PATH: join(folder, 'logs'),
      NO_COLOR: '1',
    },
  })
}

/** @throws Error with all that it said, unless it ends well */
async function finished(child: ChildProcess): Promise<void> {
  const said: string[] = []
  listen(child, (text) => said.push(text))
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`wrangler ended with ${code}:\n${said.join('')}`)
}

/** The address that it prints once it serves. @throws Error with all that it said, if it ends before */
function readUrl(child: ChildProcess): Promise<string> {
  let said = ''
  return new Promise((resolve, reject) => {
    listen(child, (text) => {
      said += text
      const url = /Ready on (http:\/\/\S+)/.exec(said)?.[1]
      if (url) resolve(url)
    })
    child.once('exit', () => reject(new Error(`workerd ended before it served:\n${said}`)))
  })
}

function listen(child: ChildProcess, hear: (text: string) => void): void {
  for (const output of [child.stdout, child.stderr]) output?.on('data', (chunk) => hear(String(chunk)))
}
