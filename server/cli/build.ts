/** Builds the client into one generated module of strings, which every runtime can load: `bun server/cli/build.ts`. */
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Assets } from '../routes/pages.ts'

const root = new URL('../../', import.meta.url)
const path = (relative: string) => fileURLToPath(new URL(relative, root))

async function bundle(entrypoint: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [path(entrypoint)],
    target: 'browser',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  const [output] = outputs
  if (!output) throw new Error(`${entrypoint} gave no output`)
  return output.text()
}

const assets: Assets = {
  'dashboard.js': await bundle('client/dashboard/main.tsx'),
  'dashboard.css': await bundle('client/dashboard/dashboard.css'),
  'widget.js': await bundle('client/define.ts'),
}

await mkdir(path('server/generated'), { recursive: true })
await Bun.write(
  path('server/generated/assets.ts'),
  `import type { Assets } from '../routes/pages.ts'\n\nexport const assets: Assets = ${JSON.stringify(assets, null, 2)}\n`,
)
