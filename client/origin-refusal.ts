import type { Environment } from './environment.ts'

/** The servers that were told of. */
const told = new Set<string>()

/**
 * Whether a server of another origin is there. To a page that it does not let in, a browser says only that there was no answer, as of one
 * that is away; so it is asked for what every page may read. A proxy that answers in its place does not have that.
 */
export async function isThereForAll(base: string, environment: Environment): Promise<boolean> {
  const origin = environment.page?.location?.origin
  if (!origin || `${base}/`.startsWith(`${origin}/`)) return false
  const answer = await environment
    .fetch(`${base}/widget.js`, { method: 'HEAD', cache: 'no-store' })
    .catch(() => undefined)
  return answer?.ok === true
}

/** Tells whoever makes the page, once, which setting of the server must name its origin. */
export function tellOriginRefused(base: string, { page }: Environment): void {
  if (told.has(base)) return
  told.add(base)
  const origin = page?.location?.origin
  console.error(
    `Milepost: ${base} lets no page of ${origin} read its jobs. Add ${origin} to its setting MILEPOST_ORIGINS.`,
  )
}
