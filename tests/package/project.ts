import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The top of this repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** A tool of this repository. */
export const tool = (name: string) => join(root, 'node_modules/.bin', name)

/** Neither scripts nor packages for one platform: the command alone needs the latter. Nothing is fetched that is at hand. */
const ADD = ['--prefer-offline', '--ignore-scripts', '--omit=optional']

/** What `npm pack` makes. */
export interface Tarball {
  path: string
  bytes: number
  files: string[]
}

/** The package, as it would be published. */
export async function pack(folder: string): Promise<Tarball> {
  const [packed] = JSON.parse(await run(['npm', 'pack', '--json', '--pack-destination', folder], root))
  const files: { path: string }[] = packed.files
  return { path: join(folder, packed.filename), bytes: packed.size, files: files.map(({ path }) => path).sort() }
}

/** A project that was empty, with the consumers in it, and the package added to what it had. */
export class Project {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(
    manager: 'npm' | 'bun',
    tarball: string,
    packages: readonly string[] = ['hono', 'bullmq', 'ioredis', 'pg-boss@12', 'react', '@types/react'],
  ): Promise<Project> {
    const project = new Project(await mkdtemp(join(tmpdir(), 'milepost-package-')))
    await project.write('package.json', { name: 'consumer', private: true, type: 'module' })
    const command = manager === 'npm' ? ['npm', 'install', '--no-audit', '--no-fund'] : [process.execPath, 'add']
    await project.run(...command, ...ADD, ...packages)
    await project.run(...command, ...ADD, tarball)
    await cp(join(import.meta.dir, 'consumers'), project.folder, { recursive: true })
    return project
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  read(name: string): Promise<string> {
    return readFile(this.path(name), 'utf8')
  }

  /** Writes a file: text, or an object as JSON. */
  async write(name: string, content: string | object): Promise<string> {
    await Bun.write(this.path(name), typeof content === 'string' ? content : JSON.stringify(content))
    return name
  }

  /** What a command prints, run in the project. @throws Error when it fails, with all that it said */
  run(...command: string[]): Promise<string> {
    return run(command, this.folder)
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true })
  }
}

/** What a command prints. @throws Error when it fails, with all that it said */
export async function run(command: string[], cwd: string): Promise<string> {
  const child = Bun.spawn(command, {
    cwd,
    env: { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')}:\n${output}${errors}`)
  return output
}
