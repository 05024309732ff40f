/**
 * Compiles what `package.json` exports, and its command, to JavaScript and declarations in `dist`: `bun server/cli/build/build-package.ts`.
 *
 * Only what those reach is compiled, so that nothing else is published.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The source that a file of the package is made of: `./dist/client/index.js` → `client/index.ts`. */
const sourceOf = (built: string) => built.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, '.ts')

const packageJson = await Bun.file(join(root, 'package.json')).json()
/** What no entry imports: the thread that writes SQLite is started by its name. */
const THREADS = ['dist/server/engines/sqlite/worker.js']
const entries: string[] = [...Object.values<string>(packageJson.exports), packageJson.bin.milepost, ...THREADS]
const sources = [...new Set(entries.map(sourceOf))]
const forWorkers = sources.filter((source) => source.includes('durable-object'))
const forDeno = sources.filter((source) => source.includes('deno-kv'))
const others = sources.filter((source) => !forWorkers.includes(source) && !forDeno.includes(source))

await Promise.all(
  ['client', 'server', 'shared'].map((part) => rm(join(root, 'dist', part), { recursive: true, force: true })),
)
await mkdir(join(root, 'dist'), { recursive: true })
// Within the project, so that its packages are found.
const folder = await mkdtemp(join(root, 'dist/build-'))
try {
  // Each runtime's own types would contradict those of the others, so each has its turn.
  await compile('tests/tsconfig.json', others)
  await compile('server/entries/tsconfig.json', forWorkers)
  const denoTypes = join(folder, 'deno.d.ts')
  await Bun.write(denoTypes, await run('deno', 'types'))
  await compile('tsconfig.json', [...forDeno, relative(root, denoTypes)], { lib: ['ESNext'], types: ['node'] })
} finally {
  await rm(folder, { recursive: true })
}

/** @param base the configuration that says how these files are checked */
async function compile(base: string, files: string[], options: object = {}): Promise<void> {
  const config = {
    extends: join(root, base),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      rootDir: root,
      outDir: join(root, 'dist'),
      ...options,
    },
    include: [],
    exclude: [],
    files: files.map((file) => join(root, file)),
  }
  await Bun.write(join(folder, 'tsconfig.json'), JSON.stringify(config))
  await run('tsc', '-p', folder)
}

/** What a tool prints. @throws Error when it fails, with that */
async function run(tool: string, ...args: string[]): Promise<string> {
  const child = Bun.spawn([join(root, 'node_modules/.bin', tool), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`${tool} failed:\n${output}`)
  return output
}
