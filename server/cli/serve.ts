import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

type Environment = Readonly<Record<string, string | undefined>>

/** Serves until the process is asked to stop, after a build where there was none. @throws what `serve` of `entries/bun.ts` throws */
export async function buildAndServe(environment: Environment): Promise<void> {
  buildOnce()
  // Not before: every other command does without what is built.
  const entry = await import('../entries/bun.ts')
  await entry.serve(environment)
}

/** Sources that were never built have no dashboard yet. A package and a binary bring it, and can't build it. */
function buildOnce(): void {
  const isSource = import.meta.url.endsWith('/server/cli/serve.ts')
  if (!isSource || existsSync(new URL('../generated/samples.ts', import.meta.url))) return
  const build = fileURLToPath(new URL('./build/build.ts', import.meta.url))
  const { success } = Bun.spawnSync([process.execPath, build], { stdout: 'ignore', stderr: 'inherit' })
  if (!success) throw new Error('The dashboard could not be built')
}
