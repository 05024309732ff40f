import { parseArgs } from 'node:util'
import { ConfigError, readConfig } from '../../config.ts'
import { copyStore } from './copy-store.ts'
import { End } from './end.ts'
import { ProgressLine } from './progress-line.ts'

const usage = `milepost copy FROM TO

Copies all jobs, sessions and the audit to another engine, then compares both. FROM and TO are sqlite:PATH, redis://HOST (rediss://, valkey://), or
@FILE, a file with one of these, which may contain a password. Stop the servers on both first. FROM is only read; TO may have other jobs.

A copy that was interrupted is repeated: jobs that are there are skipped. Jobs that went on in FROM since are replaced. A job that has another history in
TO is refused, before anything is written. Sessions of TO that FROM does not have end.

Watchers and producers go on where they were, if the servers keep MILEPOST_SECRET. Without it the secret is in PATH.secret, beside the database: then set
MILEPOST_SECRET_FILE to that.

Exit codes: 0 copied, and both are the same; 1 not, or not completely, copied; 2 TO differs from FROM after the copy.`

/**
 * Runs `milepost copy`. Shows its progress on standard error.
 *
 * @returns the text to print
 * @throws ConfigError, EngineOpenError or CopyError
 */
export async function runCopy(args: string[], env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return usage
  const [source, target, ...more] = positionals
  if (source === undefined || target === undefined || more.length > 0)
    throw new ConfigError('Name two engines: milepost copy FROM TO. "milepost copy --help" has their forms.')
  const { acknowledge } = readConfig({ MILEPOST_ACKNOWLEDGE: env.MILEPOST_ACKNOWLEDGE })
  await using ends = new AsyncDisposableStack()
  const from = ends.adopt(await End.open('FROM', source), (end) => end.close())
  const to = ends.adopt(await End.open('TO', target, acknowledge), (end) => end.close())
  using line = new ProgressLine(process.stderr)
  const { jobs, copied, notes, others } = await copyStore(from, to, Date.now(), (text, done, total) =>
    line.show(text, done, total),
  )
  const there = copied < jobs ? ` (${copied} now, the others before)` : ''
  const beside = others > 0 ? ` TO has ${others} other jobs.` : ''
  return `Copied ${jobs} jobs${there} and ${notes} notes, and compared the jobs.${beside} Now start the servers with the other engine.`
}
