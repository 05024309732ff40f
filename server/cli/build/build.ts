/**
 * Builds the client, the documents and the samples of the services into generated modules that every runtime can import:
 * `bun server/cli/build/build.ts`.
 */
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Assets } from '../../http/pages/routes.ts'
import { bundle, bundleDashboard } from './bundle.ts'
import { buildDocs } from './docs.ts'
import { collectSamples } from './samples.ts'

// Vite builds for what the environment says: in a test that packs, an asset of another size, which restarts development servers.
process.env.NODE_ENV = 'production'

const root = new URL('../../../', import.meta.url)
const path = (relative: string) => fileURLToPath(new URL(relative, root))

/**
 * Inlines the imports of a style sheet. Bun's bundler would lower it for old browsers: `:dir()` and logical properties to lists of
 * languages, so that `dir="rtl"` has no effect, and `light-dark()` to a media query.
 */
async function joinStyles(entrypoint: string): Promise<string> {
  const file = new URL(entrypoint, root)
  const text = await Bun.file(file).text()
  const imported = [...text.matchAll(/^@import "(.+)";$/gm)].map(([, name]) =>
    Bun.file(new URL(name ?? '', file)).text(),
  )
  return (await Promise.all(imported)).join('')
}

const assets: Assets = {
  ...(await bundleDashboard()),
  'dashboard.css': await joinStyles('client/dashboard/dashboard.css'),
  'widget.js': await bundle('client/element/define.ts'),
  'widget-more.js': await bundle('client/element/more.ts'),
  'widget-full.js': await bundle('client/element/full.ts'),
  docs: await buildDocs(new URL('server/docs/', root)),
}

/** Writes a generated module only if it changed: development servers watch it and would restart. */
async function write(name: string, type: string, from: string, value: unknown): Promise<void> {
  const file = Bun.file(path(`server/generated/${name}.ts`))
  const text = `import type { ${type} } from '${from}'

/** Made by server/cli/build/build.ts. */
export const ${name}: ${type} = ${JSON.stringify(value)}
`
  if (!(await file.exists()) || (await file.text()) !== text) await Bun.write(file, text)
}

await mkdir(path('server/generated'), { recursive: true })
await write('assets', 'Assets', '../http/pages/routes.ts', assets)
await write('samples', 'Samples', '../services/kit/samples.ts', await collectSamples())
