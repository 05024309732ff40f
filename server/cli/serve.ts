import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

type Environment = Readonly<Record<string, string | undefined>>

/** Builds the dashboard if missing, then serves until a stop signal. @throws what `serve` of `entries/bun.ts` throws */
export async function buildAndServe(environment: Environment): Promise<void> {
  buildOnce()
  // Imported lazily: the other commands run without a build.
  const entry = await import('../entries/bun.ts')
  await entry.serve(environment)
}

/** Only a source checkout can lack the build. Packages and binaries include it, and can't build it. */
function buildOnce(): void {
  const isSource = import.meta.url.endsWith('/server/cli/serve.ts')
  if (!isSource || existsSync(new URL('../generated/samples.ts', import.meta.url))) return
  const build = fileURLToPath(new URL('./build/build.ts', import.meta.url))
  const { success } = Bun.spawnSync([process.execPath, build], { stdout: 'ignore', stderr: 'inherit' })
  if (!success) throw new Error('The dashboard could not be built')
}
