import { ConfigError } from '../../config.ts'
import { everything, type RemoteServer, readAccess } from './access.ts'

/** The page of a job, or the job in the API. */
const PAGE = /^(https?:\/\/.+?\/)(?:api\/)?jobs\/([^/?#]+)/

/**
 * The job that an argument names, by its id or by the address of its page, and access to its server.
 *
 * An address does not choose the server: whoever sends one to somebody would get a token.
 *
 * @param positionals the arguments that are no flags: one
 * @param form how the command is written
 * @throws ConfigError for no job, for several, for a broken address, and for what {@link readAccess} refuses
 */
export async function readJobAddress(
  positionals: readonly string[],
  flags: { url?: string | undefined; 'token-file'?: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
  form: string,
): Promise<{ access: RemoteServer; id: string }> {
  const [job, ...more] = positionals
  if (!job || more.length > 0) throw new ConfigError(`Name one job: ${form}`)
  const access = await readAccess(flags, env, everything)
  const [, url, id] = PAGE.exec(job) ?? []
  if (id === undefined || url === undefined) return { access, id: job }
  if (new URL(url).href !== access.url.href) {
    throw new ConfigError(
      `${job} is on another server than ${access.url.href}. If you trust it with your token: --url ${url}`,
    )
  }
  return { access, id: decoded(id, job) }
}

function decoded(id: string, address: string): string {
  try {
    return decodeURIComponent(id)
  } catch {
    throw new ConfigError(
      `${address} is no address of a job. Copy it from the job's page again, or name the job by its id.`,
    )
  }
}
