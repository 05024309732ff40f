import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../support/free-port.ts'
import { SECRET } from '../support/tokens.ts'
import { blocks } from './blocks.ts'

/** A whole app of app.md, in a folder where the packages of this repository are found. */
class DocApp {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /** @param mark a text that only the code of this app has */
  static async write(mark: string): Promise<DocApp> {
    const code = (await blocks('server/docs/app.md', 'ts')).find((block) => block.includes(mark)) ?? ''
    const folder = await mkdtemp(join(import.meta.dir, 'docs-'))
    await writeFile(join(folder, 'app.ts'), code)
    await writeFile(join(folder, 'tsconfig.json'), '{"extends":"../../tsconfig.json","include":["."],"exclude":[]}')
    return new DocApp(folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true })
  }
}

/** What the compiler says of an app of app.md: nothing, if it is right. */
export async function compileDocApp(mark: string): Promise<string> {
  await using app = await DocApp.write(mark)
  const command = [join('node_modules', '.bin', 'tsc'), '-p', app.folder]
  const compiler = Bun.spawn(command, { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = await new Response(compiler.stdout).text()
  return (await compiler.exited) === 0 ? said : `${said} `
}

/** An app of app.md as it stands, running. @param env what it needs besides `MILEPOST_SECRET`; made from its URL */
export async function startDocApp(mark: string, env: (url: string) => Record<string, string> = () => ({})) {
  const app = await DocApp.write(mark)
  const port = freePort()
  const url = `http://localhost:${port}`
  const running = Bun.spawn([process.execPath, 'app.ts'], {
    cwd: app.folder,
    env: { PATH: process.env.PATH, PORT: `${port}`, MILEPOST_SECRET: SECRET, ...env(url) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // Bun prints a line once it listens.
  await running.stdout.getReader().read()
  return {
    url,
    async [Symbol.asyncDispose]() {
      running.kill()
      await running.exited
      await app[Symbol.asyncDispose]()
    },
  }
}
