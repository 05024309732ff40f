import { parseArgs } from 'node:util'
import type { Job } from '../../../shared/document/job.ts'
import { accessFlags, accessUsage, refuseToken } from '../remote/access.ts'
import { readJobAddress } from '../remote/job-argument.ts'
import { fit, plain, printableJson } from '../remote/plain-text.ts'
import { drawJob, type WatchedJob } from './draw-job.ts'
import { followJob } from './follow-job.ts'
import { PlainLines } from './plain-lines.ts'
import { Screen } from './screen.ts'

const watchUsage = `milepost watch JOB [--json] [--url URL] [--token-file FILE]

Shows a job live, until it ends: its bar, steps, items, failures and log, its rate and the time left. JOB is an id, or the address of the job's page. Without a
terminal it prints a line for each change of note. --json prints each message of the stream as a line of JSON: {"event", "data"}. Ctrl-C ends the watching, and not the job.

Exits with 0 when the job was completed, 1 when it failed, 3 when it was cancelled, 4 when it does not exist or may not be seen, 2 for wrong arguments, and 130 after Ctrl-C.

${accessUsage}`

const EXIT_CODES = { completed: 0, failed: 1, cancelled: 3 } as const
const NOT_SEEN = 4
const INTERRUPTED = 130
/** How often the time left is shown anew while nothing else changes: milliseconds. */
const TICK_MS = 1_000
/** Log lines that are shown of those before the watching began. */
const EARLIER_LINES = 5
const DEFAULT_COLUMNS = 80
const DEFAULT_ROWS = 24

type Environment = Readonly<Record<string, string | undefined>>

/** Runs `milepost watch`. @returns the exit code. @throws ConfigError for wrong arguments */
export async function watch(args: string[], env: Environment): Promise<number> {
  refuseToken(args)
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...accessFlags, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) {
    console.log(watchUsage)
    return 0
  }
  const { access, id } = await readJobAddress(positionals, values, env, 'milepost watch JOB')
  const view = values.json ? undefined : createView(env)
  const job = followJob(access, id, {
    message(name, data) {
      if (values.json) print(printableJson({ event: name, data }))
    },
    change: () => view?.(job.known()),
  })
  const ticks = setInterval(() => view?.(job.known()), TICK_MS)
  const interrupted = new Promise<'interrupted'>((resolve) => process.once('SIGINT', () => resolve('interrupted')))
  const how = await Promise.race([job.over, interrupted])
  clearInterval(ticks)
  if (how === 'interrupted') return INTERRUPTED
  const { job: document, connection } = job.known()
  if (connection !== 'ended' || !document) {
    if (values.json) console.error(connection)
    return NOT_SEEN
  }
  return EXIT_CODES[document.status as keyof typeof EXIT_CODES] ?? NOT_SEEN
}

const print = (line: string) => process.stdout.write(`${line}\n`)

/** Shows a job on our terminal, or as lines. */
function createView(env: Environment): (known: WatchedJob) => void {
  const { stdout } = process
  const log = createLogTail()
  if (!stdout.isTTY || env.TERM === 'dumb') {
    const lines = new PlainLines()
    return (known) => {
      for (const line of [...lines.next(known), ...log(known.job)]) print(line)
    }
  }
  const screen = new Screen((text) => stdout.write(text))
  // https://no-color.org: any value that is not empty.
  const hasColor = !env.NO_COLOR
  return (known) => {
    // A line as wide as the terminal would wrap in some.
    const columns = (stdout.columns || DEFAULT_COLUMNS) - 1
    const rows = (stdout.rows || DEFAULT_ROWS) - 1
    screen.show(
      log(known.job).map((line) => fit(line, columns)),
      drawJob(known, { columns, rows, hasColor }),
    )
  }
}

/** The lines of a log since the last call. */
function createLogTail(): (job: Job | undefined) => string[] {
  let shown: number | undefined
  return (job) => {
    if (!job) return []
    const from = shown ?? job.logs.at(-EARLIER_LINES - 1)?.version ?? 0
    shown = job.logs.at(-1)?.version ?? from
    return job.logs.filter(({ version }) => version > from).map(({ message }) => plain(message))
  }
}
