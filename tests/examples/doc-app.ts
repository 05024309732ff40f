import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { freePort } from '../support/free-port.ts'
import { SECRET } from '../support/tokens.ts'
import { blocks } from './blocks.ts'

/** Writes files into a folder where the packages of this repository are found. @returns the folder */
async function writeApps(apps: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(import.meta.dir, 'docs-'))
  await writeFile(join(folder, 'tsconfig.json'), '{"extends":"../../tsconfig.json","include":["."],"exclude":[]}')
  for (const [name, code] of Object.entries(apps)) await writeFile(join(folder, name), code)
  return folder
}

/** The apps of app.md, each whole. */
async function readApps(): Promise<string[]> {
  return (await blocks('server/docs/app.md', 'ts')).filter((code) => /^export default /m.test(code))
}

let compiled: Promise<{ apps: string[]; said: string }> | undefined

/**
 * What the compiler says of an app of app.md: nothing, if it is right. All apps are compiled at once, as each would load the same types.
 *
 * @param mark a text that only the code of this app has
 */
export async function compileDocApp(mark: string): Promise<string> {
  compiled ??= compileAll()
  const { apps, said } = await compiled
  const place = apps.findIndex((code) => code.includes(mark))
  if (place < 0) return `app.md has no app with ${mark}`
  const isOfAnother = (line: string) => /^[0-9]+\.ts/.test(line) && !line.startsWith(`${place}.ts`)
  return said
    .split('\n')
    .filter((line) => !isOfAnother(line))
    .join('\n')
}

async function compileAll(): Promise<{ apps: string[]; said: string }> {
  const apps = await readApps()
  const folder = await writeApps(Object.fromEntries(apps.map((code, place) => [`${place}.ts`, code])))
  try {
    const command = [resolve('node_modules/.bin/tsc'), '--singleThreaded', '--pretty', 'false', '-p', '.']
    const compiler = Bun.spawn(command, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = await new Response(compiler.stdout).text()
    return { apps, said: (await compiler.exited) === 0 ? said : said || 'tsc failed' }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** An app of app.md as it stands, running. @param env what it needs besides `MILEPOST_SECRET`; made from its URL */
export async function startDocApp(mark: string, env: (url: string) => Record<string, string> = () => ({})) {
  const folder = await writeApps({ 'app.ts': (await readApps()).find((code) => code.includes(mark)) ?? '' })
  const port = freePort()
  const url = `http://localhost:${port}`
  const running = Bun.spawn([process.execPath, 'app.ts'], {
    cwd: folder,
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
      await rm(folder, { recursive: true })
    },
  }
}
