import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import type { JobReporter } from '../../../client/producer/job-reporter.ts'
import { createReporter } from '../../../client/producer/reporter.ts'
import { defaultLimits } from '../../../shared/document/limits.ts'
import { randomId, systemClock, systemRandom } from '../../../shared/time/clock.ts'
import { jobPagePath } from '../../../shared/wire/paths.ts'
import { ConfigError } from '../../config.ts'
import { clip, escapeControls } from '../../services/kit/untrusted-text.ts'
import { serverUrl } from '../flags.ts'
import { accessFlags, accessUsage, readAccess, refuseToken } from '../remote/access.ts'
import { type Child, StartError, startChild } from './child.ts'
import { RunReport } from './run-report.ts'

const runUsage = `milepost run [--title TITLE] [--url URL] [--token-file FILE] -- COMMAND [ARGUMENT...]

Runs a command, and reports it as a job: its progress, as far as it is understood, and its lines as the log. Its output is passed on unchanged. Where stdin, stdout
or stderr is a terminal, the command has a pseudo-terminal of the same size. Signals go to its process group. When a watcher cancels the job, the group gets SIGTERM, and
SIGKILL after 10 seconds; a pause stops it (SIGSTOP), until it is resumed. While the server can't be reached the command goes on.

Exits as the command does: 128 + n after signal n, 127 if it was not found, 126 if it can't be executed; 125 for wrong arguments of "milepost run".
The title is the name of the command, without its arguments, which may hold secrets, unless --title says otherwise.

${accessUsage}`

/** The exit code for wrong arguments, as of other programs that run one: the command's own are rarely this. */
const WRONG_ARGUMENTS = 125
/** The time between SIGTERM and SIGKILL: milliseconds. */
const GRACE_MS = 10_000
/** How often bars that wait for their next drawing are read, and requests of watchers looked at: milliseconds. */
const TICK_MS = 200

type Environment = Readonly<Record<string, string | undefined>>

/** Runs `milepost run`. @returns the exit code. Prints what is wrong with its arguments */
export async function run(args: string[], env: Environment): Promise<number> {
  const at = args.indexOf('--')
  const [own, command] = at === -1 ? [args, []] : [args.slice(0, at), args.slice(at + 1)]
  try {
    refuseToken(own)
    const { values } = parseArgs({
      args: own,
      options: { ...accessFlags, title: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
    if (values.help) {
      console.log(runUsage)
      return 0
    }
    if (!command[0]) throw new ConfigError('Name a command after --: milepost run -- rsync -a --info=progress2 FROM TO')
    // Wrong arguments end it here; a wrong environment must not keep a command from running.
    if (values.url !== undefined) serverUrl(values.url, 'Leave them out: the token belongs in MILEPOST_TOKEN.')
    const title = clip(values.title?.trim() || titleOf(command), defaultLimits.titleBytes)
    return await runReported(command, title, values, env)
  } catch (error) {
    if (!(error instanceof ConfigError) && !isWrongArgument(error)) throw error
    warn(error.message)
    return WRONG_ARGUMENTS
  }
}

const isWrongArgument = (error: unknown): error is Error =>
  error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')

function warn(message: string): void {
  process.stderr.write(`milepost: ${message.split('\n').map(escapeControls).join('\n')}\n`)
}

/** The name of a command, with the first argument if that is a plain word, as in `npm install`. */
function titleOf([program = '', first = '']: readonly string[]): string {
  const name = escapeControls(basename(program)) || 'command'
  return /^[a-z][a-z-]{0,30}$/.test(first) ? `${name} ${first}` : name
}

async function runReported(
  command: readonly string[],
  title: string,
  flags: Parameters<typeof readAccess>[0],
  env: Environment,
): Promise<number> {
  let isWarned = false
  const warnOnce = (problem: string) => {
    if (!isWarned) warn(problem)
    isWarned = true
  }
  const access = await readAccess(flags, env, 'jobs:read jobs:write').catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error
    warnOnce(`${error.message} The command runs unreported.`)
    return undefined
  })
  const reporter = access && createReporter({ url: access.url.href, getToken: access.getToken, onProblem: warnOnce })
  const id = randomId(systemRandom, 26)
  const job = reporter?.create({ id, kind: 'run', title })
  // Elsewhere it would change the output.
  if (access && process.stderr.isTTY) warn(`Watch it at ${new URL(jobPagePath(id), access.url).href}`)
  try {
    return await (job ? runJob(command, job) : runUnreported(command))
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    warn(error.message)
    job?.status({ status: 'failed', message: escapeControls(error.message), result: { exitCode: error.exitCode } })
    return error.exitCode
  } finally {
    await reporter?.close()
  }
}

async function runUnreported(command: readonly string[]): Promise<number> {
  const child = await startChild(command, () => {})
  return child.exited.finally(child.release)
}

/** Runs a command as a job. @returns its exit code. @throws StartError */
async function runJob(command: readonly string[], job: JobReporter): Promise<number> {
  const report = new RunReport(job, command, systemClock)
  const child = await startChild(command, (output, source) => report.take(output, source))
  job.status({ status: 'running' })
  const control = obey(child, job)
  const ticks = setInterval(() => {
    report.rest()
    control.look()
  }, TICK_MS)
  try {
    const exitCode = await child.exited
    report.end({ exitCode, isCancelled: control.isCancelled })
    return exitCode
  } finally {
    clearInterval(ticks)
    control.stop()
    child.release()
  }
}

/** Does to a command what watchers ask of its job. */
function obey(child: Child, job: JobReporter) {
  let isCancelled = false
  let isPaused = false
  let killing: ReturnType<typeof setTimeout> | undefined
  const cancel = () => {
    isCancelled = true
    child.signal('SIGTERM')
    // A stopped process gets no other signal.
    child.signal('SIGCONT')
    killing = setTimeout(() => child.signal('SIGKILL'), GRACE_MS)
  }
  const pause = async () => {
    isPaused = true
    child.signal('SIGSTOP')
    await job.pausePoint()
    child.signal('SIGCONT')
    isPaused = false
  }
  job.signal.addEventListener('abort', cancel)
  return {
    get isCancelled() {
      return isCancelled
    },
    /** Pauses the command if that was asked. */
    look() {
      if (job.pauseRequested && !job.cancelRequested && !isPaused) void pause()
    },
    stop() {
      clearTimeout(killing)
      job.signal.removeEventListener('abort', cancel)
    },
  }
}
