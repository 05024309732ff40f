/**
 * Compiles the exports of `package.json` and its command to JavaScript and declarations in `dist`: `bun server/cli/build/build-package.ts`.
 *
 * Only modules that these import are compiled and published.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Glob } from 'bun'
import { withShortStyles } from './bundle.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The source of a file of the package: `./dist/client/index.js` → `client/index.ts`. */
const sourceOf = (built: string) => built.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, '.ts')

const packageJson = await Bun.file(join(root, 'package.json')).json()
/** Modules that no entry imports: the SQLite writer thread is started by its path. */
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
// Inside the project, so that `node_modules` is found.
const folder = await mkdtemp(join(root, 'dist/build-'))
try {
  // One compilation per runtime: their global types contradict each other.
  await compile('tests/tsconfig.json', others)
  await compile('server/entries/tsconfig.json', forWorkers)
  const denoTypes = join(folder, 'deno.d.ts')
  await Bun.write(denoTypes, await run('deno', 'types'))
  await compile('tsconfig.json', [...forDeno, relative(root, denoTypes)], { lib: ['ESNext'], types: ['node'] })
  // Bundlers leave texts as they are.
  for (const path of new Glob('client/**/*-styles.js').scanSync(join(root, 'dist'))) {
    const file = Bun.file(join(root, 'dist', path))
    await Bun.write(file, withShortStyles(await file.text()))
  }
  // What editors know of the element.
  const described: string = packageJson.customElements
  await Bun.write(join(root, described), Bun.file(join(root, described.replace('dist/', ''))))
} finally {
  await rm(folder, { recursive: true })
}

/** @param base the tsconfig.json to extend */
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
  // Several threads check much of it twice.
  await run('tsc', '--singleThreaded', '-p', folder)
}

/** Runs a tool of `node_modules`. @returns its output. @throws Error with the output when it fails */
async function run(tool: string, ...args: string[]): Promise<string> {
  const child = Bun.spawn([join(root, 'node_modules/.bin', tool), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`${tool} failed:\n${output}`)
  return output
}
