import { fileURLToPath } from 'node:url'
import { build, minify } from 'vite'

/**
 * Bundles an entry of the client into one minified module for browsers.
 *
 * Bun puts the modules together. Oxc, the minifier of Vite, then makes the module about 2 % smaller than Bun alone.
 *
 * @param entrypoint relative to the repository's root: `client/element/define.ts`
 * @throws AggregateError when the build fails
 */
export async function bundle(entrypoint: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [fileURLToPath(new URL(`../../../${entrypoint}`, import.meta.url))],
    target: 'browser',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [
      { name: 'styles', setup: (build) => void build.onLoad({ filter: /-styles\.ts$/ }, shortenStyles) },
      {
        name: 'more',
        setup: (build) =>
          void build.onResolve({ filter: /\/(more|full|origin-refusal)\.ts$/ }, ({ kind, path }) =>
            kind === 'dynamic-import' ? beside(path) : undefined,
          ),
      },
    ],
  })
  const [output] = outputs
  if (!output) throw new Error(`${entrypoint} gave no output`)
  return minified(entrypoint, await output.text())
}

async function minified(name: string, module: string): Promise<string> {
  const mangleProps = { include: new RegExp(`^(${internalNames.join('|')})$`) }
  const { code, errors } = await minify(name, module, { module: true, ...(name === WIDGET ? { mangleProps } : {}) })
  if (errors.length > 0) throw new AggregateError(errors, `${name} can't be minified`)
  return code
}

/** The files of the modules that the dashboard loads when it needs them, by the name of the module that each begins with. */
const CHUNKS = {
  'docs-page': 'api.js',
  asks: 'asks.js',
  'bulk-bar': 'bulk.js',
  'job-more': 'job.js',
  'operator-page': 'operator.js',
  shared: 'shared.js',
  start: 'start.js',
} as const

/** Parts of several of them, which are none of the first module: without a group each would be a module. */
const SHARED = { name: 'shared', test: /\/(parts\/(code-block|dialog)|result\/figures)\.tsx$/ }

type DashboardFile = 'dashboard.js' | (typeof CHUNKS)[keyof typeof CHUNKS]

const isChunk = (name: string): name is keyof typeof CHUNKS => Object.hasOwn(CHUNKS, name)

/**
 * Bundles the dashboard into the module that every page needs, and those that it loads from beside it when they are needed. Vite puts them
 * together, because Bun (1.4.5) would split off others with what several use.
 *
 * @throws Error when the build fails, or gives other modules
 */
export async function bundleDashboard(): Promise<Record<DashboardFile, string>> {
  const built = await build({
    configFile: false,
    envDir: false,
    publicDir: false,
    logLevel: 'warn',
    root: fileURLToPath(new URL('../../..', import.meta.url)),
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      target: 'esnext',
      // Of an application the imports would have a function around them that preloads styles.
      lib: { entry: 'client/dashboard/main.tsx', formats: ['es'], fileName: () => 'dashboard.js' },
      rolldownOptions: {
        preserveEntrySignatures: 'allow-extension',
        output: {
          chunkFileNames: ({ name }) => (isChunk(name) ? CHUNKS[name] : `${name}.js`),
          codeSplitting: { includeDependenciesRecursively: false, groups: [SHARED] },
        },
      },
    },
  })
  const files = [built].flat().flatMap((one) => ('output' in one ? one.output : []))
  const codes = Object.fromEntries(files.map((file) => [file.fileName, 'code' in file ? file.code : '']))
  const names: readonly DashboardFile[] = ['dashboard.js', ...Object.values(CHUNKS)]
  if (Object.keys(codes).sort().join() !== names.toSorted().join())
    throw new Error(`The dashboard was built into ${Object.keys(codes).join(', ')}`)
  const modules = names.map(async (name) => [name, await minified(name, codes[name] ?? '')] as const)
  return Object.fromEntries(await Promise.all(modules)) as Record<DashboardFile, string>
}
const WIDGET = 'client/element/define.ts'

/**
 * Properties of the element's own objects, which its bundle abbreviates: 2 % of its size. None is a name on the wire, of the DOM, or of what
 * pages use, such as the texts of a language.
 */
export const internalNames: readonly string[] =
  `again amountOf clock environment facts failures fast heardAt intervals isIdle isInDoubt isRefused leave measured monotonic mostJobs mutes nameOf newest notBefore number onHeard onStatus openedAt over phase policy pollUntil quarter receive renew restart retryAfterMs retryMs roughDuration setRoughly hideFailures slow sum tell timeLeft working`.split(
    /\s+/,
  )

/** What the element loads when it needs it are files beside it. */
const beside = (path: string) => ({
  path: `./${path.endsWith('full.ts') ? 'widget-full' : 'widget-more'}.js`,
  external: true,
})

async function shortenStyles({ path }: { path: string }): Promise<{ contents: string; loader: 'ts' }> {
  return { contents: withShortStyles(await Bun.file(path).text()), loader: 'ts' }
}

/** A module with the style sheets in its template strings minified. */
export const withShortStyles = (module: string): string => module.replace(/`\n[^`]+`/g, shorten)

/** Removes spaces around punctuation, except before a colon, where a space changes the selector. */
const shorten = (styles: string) =>
  styles
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([{};,]) ?/g, '$1')
    .replaceAll(': ', ':')
    .replaceAll(';}', '}')
