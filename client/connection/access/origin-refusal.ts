import type { Environment } from '../environment.ts'

/**
 * Whether a server of another origin is up. Browsers report a CORS refusal like a network failure, so this requests what every page may read.
 * A proxy that answers in the server's place does not have it, and may redirect to a page of its own.
 *
 * @param base where the server is mounted
 * @throws when there is no answer
 */
export async function isThereForAll(base: string, environment: Environment, signal: AbortSignal): Promise<boolean> {
  const origin = environment.page?.location?.origin
  if (!origin || `${base}/`.startsWith(`${origin}/`)) return false
  const { ok, headers } = await environment.fetch(`${base}/widget.js`, { method: 'HEAD', cache: 'no-store', signal })
  return ok && headers.get('content-type')?.startsWith('text/javascript') === true
}

/** Logs, for the page's developer, which setting of the server must name its origin. */
export function tellOriginRefused(base: string, { page }: Environment): void {
  const origin = page?.location?.origin
  console.error(
    `Milepost: ${base} lets no page of ${origin} read its jobs. Add ${origin} to its setting MILEPOST_ORIGINS.`,
  )
}
