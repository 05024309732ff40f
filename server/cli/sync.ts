import { mkdir, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { defaultLimits } from '../../shared/document/limits.ts'
import { ConfigError } from '../config.ts'
import { readSecret } from '../entries/read-secret.ts'
import { type JobControl, noControl, setJobEvents } from '../jobs/emitter.ts'
import { clip, escapeControls, reasonOf } from '../services/kit/untrusted-text.ts'
import { syncTrees } from '../services/sync/sync.ts'
import { TreeRefusal } from '../services/sync/tree.ts'
import { DirectoryTree } from './directory-tree.ts'
import { refuseSecret, serverUrl } from './flags.ts'
import { RemoteJobs } from './remote-jobs.ts'

const usage = `milepost sync SOURCE TARGET [--url http://localhost:8787/] [--token-file FILE] [--title TITLE] [--concurrency 4]

Copies files of SOURCE that TARGET lacks or that differ, with their modes. Creates TARGET if it is missing. Follows no links; lists and leaves out everything
that is neither a file nor a folder. Neither directory may contain the other. With --url the sync is a job on that server, which can be watched, paused and
cancelled; its producer's token is in MILEPOST_TOKEN, or in the file named by --token-file or MILEPOST_TOKEN_FILE. Exits with 1 if anything failed or was left
out, or if the server refused the job or its events. Needs Linux.`

/** Runs `milepost sync`: copies a directory, and reports to a server if `--url` names one. */
export async function sync(args: string[], env: Readonly<Record<string, string | undefined>>): Promise<void> {
  refuseSecret(args, 'token', 'Set MILEPOST_TOKEN, or name a file that holds it: --token-file FILE.')
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      'token-file': { type: 'string' },
      title: { type: 'string' },
      concurrency: { type: 'string', default: '4' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    console.log(usage)
    return
  }
  const [from, to, ...others] = positionals
  if (!from || !to || others.length > 0) throw new ConfigError(usage)
  const concurrency = Number(values.concurrency)
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new ConfigError('Give --concurrency a whole number of 1 or more.')
  }
  const url =
    values.url === undefined
      ? undefined
      : serverUrl(values.url, 'Leave them out: the token of a producer belongs in MILEPOST_TOKEN.')
  await using source = await openTree(from)
  await requireApart(from, to)
  await mkdir(to, { recursive: true, mode: source.mode | 0o700 }).catch(({ code }) => {
    throw new ConfigError(`"${to}" can't be created (${code}). Name a directory, or a path for a new one.`)
  })
  await using target = await openTree(to)
  let isComplete = false
  const onProblem = (path: string, reason: string) => console.error(`${path}: ${reason}`)
  const work = async (jobId: string, control: JobControl) => {
    try {
      const result = await syncTrees(source, target, { jobId, control, concurrency, onProblem })
      const { copied, skipped, failed, leftOut } = result
      console.log(`${copied} copied, ${skipped - leftOut} unchanged, ${failed} failed, ${leftOut} left out`)
      isComplete = failed + leftOut === 0
      return result
    } catch (error) {
      console.error(reasonOf(error))
      throw error
    }
  }
  if (url === undefined) await work('', noControl).catch(() => {})
  else {
    const file = values['token-file']
    const token = await readSecret(file === undefined ? env : { MILEPOST_TOKEN_FILE: file }, 'MILEPOST_TOKEN')
    if (!token) {
      throw new ConfigError(
        'Set MILEPOST_TOKEN to the token of a producer, or name a file that holds it: --token-file FILE.',
      )
    }
    const jobs = new RemoteJobs(url, token)
    setJobEvents(jobs.emitter)
    const title = clip(values.title ?? escapeControls(`${source.name} → ${target.name}`), defaultLimits.titleBytes)
    const heartbeatSeconds = 60
    const jobId = await jobs.create({ kind: 'sync', title, heartbeatSeconds })
    console.log(`Watch it at ${jobs.pageOf(jobId)}`)
    await jobs.emitter.run(jobId, (control) => work(jobId, control), { heartbeatSeconds })
    const unsent = await jobs.finish(jobId)
    if (unsent) {
      const { why, isRefused } = unsent
      console.error(`${jobs.pageOf(jobId)} is not up to date${isRefused ? ': the server refused events' : ''}. ${why}`)
      // Otherwise unsent events would keep the process alive while the server is unavailable.
      process.exit(isComplete && !isRefused ? 0 : 1)
    }
  }
  process.exitCode = isComplete ? 0 : 1
}

/** Each sync into a folder of its source would copy the earlier copies again. @throws ConfigError when the two overlap */
async function requireApart(from: string, to: string): Promise<void> {
  const [source, target] = [await realPlace(from), await realPlace(to)]
  if (isWithin(source, target) || isWithin(target, source)) {
    throw new ConfigError(`"${from}" and "${to}" overlap. Name two separate directories.`)
  }
}

const isWithin = (inner: string, outer: string) => `${inner}/`.startsWith(outer.endsWith('/') ? outer : `${outer}/`)

/** The real path, also of a directory that does not exist yet. */
async function realPlace(path: string): Promise<string> {
  const place = resolve(path)
  return realpath(place).catch(async () => join(await realPlace(dirname(place)), basename(place)))
}

async function openTree(path: string): Promise<DirectoryTree> {
  return DirectoryTree.open(path).catch((error: unknown) => {
    throw error instanceof TreeRefusal ? new ConfigError(`${error.message}.`) : error
  })
}
